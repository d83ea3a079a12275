"""Jobs about training an RBM: epochs of CD-1, PCD-1 and CD-5, 784-500, minibatches of 100 rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.neural_network import BernoulliRBM

from dbnlib import CD, PCD, RBM, train_rbm
from dbnlib.gradients import GradientEstimator
from tests.benchmarks.jobs import FLOOR, OURS, Found, Scale, job, run_race
from tests.benchmarks.peers import is_here

N_VISIBLE, N_HIDDEN, BATCH = 784, 500, 100
RATE, MOMENTUM, DECAY = 0.05, 0.5, 0.0002
#: epochs in one call, as a user trains: what a call does once is shared by them
EPOCHS = 2
Work = Callable[[], object]


def binary_rows(n_rows: int, n_columns: int = N_VISIBLE, seed: int = 0) -> np.ndarray:
    """Rows of zeros and ones, a fifth of them ones, as in MNIST. Their pattern costs no time."""
    rng = np.random.default_rng(seed)
    return (rng.random((n_rows, n_columns), dtype=np.float32) < 0.2).astype(np.float32)


def by_dbnlib(v: np.ndarray, gradient: GradientEstimator) -> Work:
    """Training as the notebooks do it."""
    rng = np.random.Generator(np.random.SFC64(0))
    rbm = RBM.random(N_VISIBLE, N_HIDDEN, rng, data=v)
    settings = {"learning_rate": RATE, "momentum": MOMENTUM, "weight_decay": DECAY}

    def work() -> object:
        return train_rbm(
            rbm, v, epochs=EPOCHS, rng=rng, gradient=gradient, progress=False, **settings
        )

    return work


def products(v: np.ndarray, k: int) -> Work:
    """The matrix products of CD-k and nothing else, into buffers made once."""
    rng = np.random.default_rng(0)
    W = 0.01 * rng.standard_normal((N_VISIBLE, N_HIDDEN), dtype=np.float32)
    h = (rng.random((BATCH, N_HIDDEN), dtype=np.float32) < 0.5).astype(np.float32)
    v_both, p_both = np.vstack([v[:BATCH]] * 2), np.vstack([h, h])
    x, y, dW = np.empty_like(h), np.empty_like(v[:BATCH]), np.empty_like(W)

    def work() -> None:
        for _ in range(EPOCHS):
            for start in range(0, len(v), BATCH):
                np.matmul(v[start : start + BATCH], W, out=x)
                for _ in range(k):
                    np.matmul(h, W.T, out=y)
                    np.matmul(v_both[:BATCH], W, out=x)
                np.matmul(v_both.T, p_both, out=dW)

    return work


def by_scikit_learn(v: np.ndarray) -> Work:
    """Its RBM knows PCD-1 only, without momentum and decay: less work than ours."""

    def work() -> object:
        model = BernoulliRBM(N_HIDDEN, learning_rate=RATE, batch_size=BATCH, n_iter=EPOCHS)
        return model.fit(v)

    return work


def by_torch(v: np.ndarray, k: int, *, tuned: bool) -> Work:
    """CD-k as one writes it in torch: idiomatic, or tuned (`addmm`, `rand < p`, in place)."""
    import torch

    rows = torch.from_numpy(v)
    W = 0.01 * torch.randn(N_VISIBLE, N_HIDDEN)
    b, c = torch.zeros(N_VISIBLE), torch.zeros(N_HIDDEN)
    parameters = [W, b, c]
    velocities = [torch.zeros_like(p) for p in parameters]

    def mean(u: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        if tuned:
            return torch.addmm(bias, u, weights).sigmoid_()
        return torch.sigmoid(u @ weights + bias)

    def draw(p: torch.Tensor) -> torch.Tensor:
        return (torch.rand_like(p) < p).float() if tuned else torch.bernoulli(p)

    def step(v0: torch.Tensor) -> None:
        p0 = mean(v0, W, c)
        h = draw(p0)
        for i in range(k):
            v1 = draw(mean(h, W.T, b))
            p1 = mean(v1, W, c)
            if i < k - 1:
                h = draw(p1)
        n = len(v0)
        if tuned:
            dW = torch.addmm(v0.T @ p0, v1.T, p1, alpha=-1).div_(n).add_(W, alpha=-DECAY)
        else:
            dW = (v0.T @ p0 - v1.T @ p1) / n - DECAY * W
        slopes = [dW, (v0 - v1).mean(0), (p0 - p1).mean(0)]
        for parameter, velocity, slope in zip(parameters, velocities, slopes, strict=True):
            velocity.mul_(MOMENTUM).add_(slope, alpha=RATE)
            parameter.add_(velocity)

    def work() -> None:
        with torch.no_grad():
            for _ in range(EPOCHS):
                order = torch.randperm(len(rows))
                for start in range(0, len(rows), BATCH):
                    step(rows[order[start : start + BATCH]])

    return work


def by_jax(v: np.ndarray, k: int) -> Work:
    """CD-k in JAX, an epoch compiled as one scan over the minibatches."""
    import jax
    import jax.numpy as jnp

    rows, n_batches = jnp.asarray(v), len(v) // BATCH

    def step(state: tuple, pair: tuple) -> tuple:
        (W, b, c, *velocities), (numbers, key) = state, pair
        v0, keys = rows[numbers], jax.random.split(key, 2 * k)
        p = p0 = jax.nn.sigmoid(v0 @ W + c)
        for i in range(k):
            h = (jax.random.uniform(keys[2 * i], p.shape) < p).astype(p.dtype)
            q = jax.nn.sigmoid(h @ W.T + b)
            v1 = (jax.random.uniform(keys[2 * i + 1], q.shape) < q).astype(q.dtype)
            p = jax.nn.sigmoid(v1 @ W + c)
        dW = (v0.T @ p0 - v1.T @ p) / BATCH - DECAY * W
        slopes = (dW, (v0 - v1).mean(0), (p0 - p).mean(0))
        velocities = [MOMENTUM * u + RATE * g for u, g in zip(velocities, slopes, strict=True)]
        changed = [p + u for p, u in zip((W, b, c), velocities, strict=True)]
        return (*changed, *velocities), None

    @jax.jit
    def epoch(state: tuple, key: jax.Array) -> tuple:
        first, second = jax.random.split(key)
        order = jax.random.permutation(first, len(rows))[: n_batches * BATCH]
        pairs = order.reshape(n_batches, BATCH), jax.random.split(second, n_batches)
        return jax.lax.scan(step, state, pairs)[0]

    zeros = [jnp.zeros((N_VISIBLE, N_HIDDEN)), jnp.zeros(N_VISIBLE), jnp.zeros(N_HIDDEN)]
    start = (0.01 * jax.random.normal(jax.random.key(0), zeros[0].shape), *zeros[1:], *zeros)

    def work() -> object:
        state = start
        for number in range(EPOCHS):
            state = epoch(state, jax.random.key(number))
        return jax.block_until_ready(state)

    return work


def by_learnergy(v: np.ndarray, k: int) -> Work:
    """CD-k by learnergy, which stands on torch."""
    import logging

    import torch
    from learnergy.models.bernoulli import RBM as TheirRBM

    for name in logging.root.manager.loggerDict:
        if name.startswith("learnergy"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    settings = {"steps": k, "learning_rate": RATE, "momentum": MOMENTUM, "decay": DECAY}
    model = TheirRBM(n_visible=N_VISIBLE, n_hidden=N_HIDDEN, use_gpu=False, **settings)
    rows = torch.utils.data.TensorDataset(torch.from_numpy(v), torch.zeros(len(v)))

    def work() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(rows, batch_size=BATCH, epochs=EPOCHS)

    return work


def trainers(v: np.ndarray, k: int) -> dict[str, Work]:
    """The peers that can do CD-k and are installed."""
    peers: dict[str, Work] = {}
    if is_here("torch"):
        peers["torch, idiomatic"] = by_torch(v, k, tuned=False)
        peers["torch, tuned"] = by_torch(v, k, tuned=True)
    if is_here("jax"):
        peers["JAX, compiled"] = by_jax(v, k)
    if is_here("learnergy"):
        peers["learnergy"] = by_learnergy(v, k)
    return peers


@job(
    "CD-1 epoch, 784-500",
    f"`train_rbm` with momentum and weight decay, {EPOCHS} epochs a call, batch 100, float32. "
    "scikit-learn's RBM has PCD-1 without either.",
)
def cd_1(scale: Scale) -> Found:
    """CD-1 against everyone."""
    v = binary_rows(scale.rows)
    contestants = {OURS: by_dbnlib(v, CD(1)), FLOOR: products(v, 1)}
    contestants["scikit-learn, float32"] = by_scikit_learn(v)
    contestants["scikit-learn, float64"] = by_scikit_learn(v.astype(np.float64))
    contestants |= trainers(v, 1)
    goals = {FLOOR: 0.72, "scikit-learn, float32": 1.7, "scikit-learn, float64": 2.6}
    goals |= {"torch, idiomatic": 1.3, "torch, tuned": 1.0, "learnergy": 2.8}
    return run_race("CD-1", contestants, scale, goals)


@job("PCD-1 epoch, 784-500", "As above with persistent chains.")
def pcd_1(scale: Scale) -> Found:
    """PCD-1 against its products and against scikit-learn, which does the same."""
    v = binary_rows(scale.rows)
    contestants = {OURS: by_dbnlib(v, PCD(1)), FLOOR: products(v, 1)}
    contestants["scikit-learn, float32"] = by_scikit_learn(v)
    return run_race("PCD-1", contestants, scale, {FLOOR: 0.72})


@job("CD-5 epoch, 784-500", "As above with five Gibbs steps.")
def cd_5(scale: Scale) -> Found:
    """CD-5 against its products."""
    v = binary_rows(max(BATCH, scale.rows // 4 // BATCH * BATCH))
    contestants = {OURS: by_dbnlib(v, CD(5)), FLOOR: products(v, 5)}
    return run_race("CD-5", contestants | trainers(v, 5), scale, {FLOOR: 0.72})
