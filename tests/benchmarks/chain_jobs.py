"""Jobs about chains: annealed importance sampling, Gibbs sampling, the exact log Z."""

from __future__ import annotations

import itertools
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from dbnlib import RBM, ais, log_partition
from dbnlib.annealed import uniform_betas
from dbnlib.sampling import run_chain
from tests.benchmarks.jobs import FLOOR, OURS, Found, Line, Scale, job, run_race
from tests.benchmarks.peers import is_here
from tests.benchmarks.rbm_jobs import binary_rows

N_CHAINS = 100
Work = Callable[[], object]


def machine(n_visible: int, n_hidden: int, seed: int = 0) -> RBM:
    """An RBM with weights of some size, in float32."""
    rng = np.random.default_rng(seed)
    W = 0.05 * rng.standard_normal((n_visible, n_hidden))
    parts = (W, rng.standard_normal(n_visible) - 1, rng.standard_normal(n_hidden))
    return RBM(*(part.astype(np.float32) for part in parts))


def products(rbm: RBM, n_steps: int) -> Work:
    """The two products of a Gibbs step, so many times."""
    h = binary_rows(N_CHAINS, rbm.n_hidden)
    v = binary_rows(N_CHAINS, rbm.n_visible)
    x, y = np.empty_like(h), np.empty_like(v)

    def work() -> None:
        for _ in range(n_steps):
            np.matmul(v, rbm.W, out=x)
            np.matmul(h, rbm.W.T, out=y)

    return work


def annealing_by_torch(rbm: RBM, n_betas: int) -> Work:
    """The same walk in torch, written with care: `addmm`, `rand < p`."""
    import torch
    from torch.nn.functional import softplus

    W, b, c = (torch.from_numpy(part) for part in (rbm.W, rbm.b, rbm.c))
    betas = torch.linspace(0, 1, n_betas).tolist()

    def draw(p: torch.Tensor) -> torch.Tensor:
        return (torch.rand_like(p) < p).float()

    def work() -> torch.Tensor:
        with torch.no_grad():
            v = draw(torch.sigmoid(b).expand(N_CHAINS, -1))
            log_w = torch.zeros(N_CHAINS, dtype=torch.float64)
            for old, new in itertools.pairwise(betas):
                x = torch.addmm(c, v, W)
                log_w += (softplus(new * x) - softplus(old * x)).sum(1)
                h = draw(torch.sigmoid(new * x))
                v = draw(torch.addmm(b, h, W.T, alpha=new).sigmoid_())
            return log_w

    return work


@job(
    "AIS, 784-500, 100 chains",
    "`ais` along evenly spaced temperatures; the cost of a temperature does not depend on how many "
    "there are (the published schedule has 14,500).",
)
def annealing(scale: Scale) -> Found:
    """Forward AIS against its products and torch."""
    rbm, rng = machine(784, 500), np.random.Generator(np.random.SFC64(0))
    betas = uniform_betas(scale.steps)
    contestants: dict[str, Work] = {
        OURS: lambda: ais(rbm, rng, betas=betas, n_chains=N_CHAINS, progress=False),
        FLOOR: products(rbm, scale.steps),
    }
    if is_here("torch"):
        contestants["torch, tuned"] = annealing_by_torch(rbm, scale.steps)
    return run_race("AIS", contestants, scale, {FLOOR: 0.58, "torch, tuned": 1.1})


def gibbs_by_torch(rbm: RBM, n_steps: int, *, tuned: bool) -> Work:
    """The same chains in torch."""
    import torch

    W, b, c = (torch.from_numpy(part) for part in (rbm.W, rbm.b, rbm.c))
    start = torch.from_numpy(binary_rows(N_CHAINS, rbm.n_visible))

    def draw(p: torch.Tensor) -> torch.Tensor:
        return (torch.rand_like(p) < p).float() if tuned else torch.bernoulli(p)

    def mean(u: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        if tuned:
            return torch.addmm(bias, u, weights).sigmoid_()
        return torch.sigmoid(u @ weights + bias)

    def work() -> torch.Tensor:
        v = start
        with torch.no_grad():
            for _ in range(n_steps):
                v = draw(mean(draw(mean(v, W, c)), W.T, b))
        return v

    return work


@job("Gibbs sampling, 500-2000, 100 chains", "`run_chain`: both layers drawn in every step.")
def gibbs(scale: Scale) -> Found:
    """The top RBM of a DBN that dreams."""
    rbm, rng = machine(500, 2000), np.random.Generator(np.random.SFC64(0))
    start = binary_rows(N_CHAINS, rbm.n_visible)
    contestants: dict[str, Work] = {
        OURS: lambda: run_chain(rbm, start, scale.steps, rng),
        FLOOR: products(rbm, scale.steps),
    }
    if is_here("torch"):
        contestants["torch, idiomatic"] = gibbs_by_torch(rbm, scale.steps, tuned=False)
        contestants["torch, tuned"] = gibbs_by_torch(rbm, scale.steps, tuned=True)
    return run_race("Gibbs", contestants, scale, {FLOOR: 0.70, "torch, tuned": 1.1})


@job(
    "Exact log Z, 784-20",
    "`log_partition`: 2²⁰ states enumerated in float64. Memory is the peak above the model, by "
    "tracemalloc, in a run of its own.",
)
def exact_log_z(scale: Scale) -> Found:
    """Seconds, and memory."""
    rbm = machine(784, 8 if scale.name == "reduced" else 20)
    seconds = []
    for _ in range(max(1, scale.rounds // 3)):
        began = time.perf_counter()
        log_partition(rbm, progress=False)
        seconds.append(time.perf_counter() - began)
    tracemalloc.start()
    log_partition(rbm, progress=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    lines = [
        Line("time, fastest run", min(seconds), "s", at_most=5),
        Line("memory above the model", peak / 1e6, "MB", at_most=200),
    ]
    return Found(lines, seconds={OURS: seconds})
