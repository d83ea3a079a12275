"""Annealed importance sampling (AIS) of log Z, from an RBM that is solved to the one that is not.

On the way from β = 0 to β = 1 lie machines with

    W_β = βW        c_β = βc        b_β = (1 − β) b_A + βb

At β = 0 the layers are independent and log Z_A = A_v(b_A) + A_h(0) is known. A chain starts there
with an exact draw and passes all the machines, with one Gibbs step at each. The free energies
F_β(v) = −b_β'v + r(v) − A_h(βx), with x = c + vW, give its weight

    log w = Σₖ F_{k−1}(vₖ) − F_k(vₖ) = Σₖ Δβ (b − b_A)'vₖ + A_h(βₖxₖ) − A_h(βₖ₋₁xₖ)

and E[w] = Z / Z_A, for any number of steps. On average the logarithm of the mean weight is too
low. The same walk from β = 1 down to 0, which must start with draws from the model itself, has
E[w] = Z_A / Z, and log Z_A − log w̄ is too high on average. See `dbnlib.log_z` for the intervals.

Sources: Neal (2001); Salakhutdinov and Murray (2008); for the reverse direction Burda,
Grosse, Salakhutdinov (2015).
"""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import numpy as np

from dbnlib.checks import (
    check_array,
    check_choice,
    check_count,
    check_generator,
    check_real,
)
from dbnlib.exact import is_small
from dbnlib.exact_sampling import MAX_EXACT_STATES, exact_samples
from dbnlib.groups import Groups
from dbnlib.log_z import BothDirections, DirectionsDisagreeWarning, LogZEstimate
from dbnlib.normalisable import check_normalisable
from dbnlib.progress import bar
from dbnlib.rbm import RBM
from dbnlib.sampling import run_chain
from dbnlib.units import Bernoulli, Gaussian, Units


def uniform_betas(n: int) -> np.ndarray:
    """`n` inverse temperatures from 0 to 1, evenly spaced."""
    return np.linspace(0.0, 1.0, check_count("n_betas", n, 2))


def salakhutdinov_murray_betas() -> np.ndarray:
    """14,500 inverse temperatures: 500 up to 0.5, 4,000 up to 0.9, 10,000 up to 1.

    Source: Salakhutdinov and Murray (2008), section on experiments.
    """
    return np.concatenate(
        [
            np.linspace(0.0, 0.5, 500, endpoint=False),
            np.linspace(0.5, 0.9, 4_000, endpoint=False),
            np.linspace(0.9, 1.0, 10_000),
        ]
    )


def check_betas(betas: Any) -> np.ndarray:
    """`betas` as an array that rises from 0 to 1; ValueError otherwise."""
    betas = check_array("betas", betas, ndim=1).astype(np.float64)
    if len(betas) < 2 or betas[0] != 0 or betas[-1] != 1 or (np.diff(betas) <= 0).any():
        raise ValueError(
            f"betas must rise from 0 to 1, got {len(betas)} values from {betas[0]:g} to "
            f"{betas[-1]:g}, lowest step {np.diff(betas).min(initial=np.inf):g}; "
            "numpy.linspace(0, 1, 1000) is such a schedule"
        )
    return betas


def ais(
    rbm: RBM,
    rng: np.random.Generator,
    *,
    data: Any = None,
    betas: Any = None,
    n_chains: int = 100,
    n_betas: int = 1000,
    direction: str = "forward",
    start: Any = None,
    burn_in: int = 1000,
    progress: bool | None = None,
) -> LogZEstimate:
    """log Z by annealed importance sampling, with an interval.

    Parameters
    ----------
    data : array of shape (n_examples, n_visible), optional
        rows whose means give b_A, so that the walk starts nearer its end; b_A = b without them
    betas : array that rises from 0 to 1, optional
        the inverse temperatures; `n_betas` evenly spaced ones if not given. See also
        `salakhutdinov_murray_betas`
    n_chains : independent chains, each with one weight; at least 2
    direction : 'forward' (default) from the base machine, or 'reverse' from the model
    start : array of shape (n_rows, n_visible), optional
        for 'reverse': rows that the chains start from. Without them the start is an exact draw
        from the model where a layer has at most 2¹⁶ states, and rows of `data` elsewhere
    burn_in : for 'reverse' from rows: Gibbs steps before the walk begins. The estimate is only as
        good as what these reach: chains that have not met all of the model's modes make it wrong
        in either direction. Pass 0 if `start` holds draws from the model

    Returns
    -------
    LogZEstimate

    Raises
    ------
    NotNormalisableError
        where Z is not certainly finite, see `dbnlib.normalisable`
    ValueError
        for a schedule that does not rise from 0 to 1, or a reverse walk without a start
    """
    check_normalisable(rbm)
    check_generator(rng)
    n_chains = check_count("n_chains", n_chains, 2)
    check_choice("direction", direction, ("forward", "reverse"))
    betas = uniform_betas(n_betas) if betas is None else check_betas(betas)
    if data is not None:
        data = rbm.check_visible("data", data)
    b_base = base_bias(rbm, data)
    if direction == "forward":
        v = rbm.visible.sample(np.tile(b_base, (n_chains, 1)), rng)
    else:
        v = reverse_start(rbm, n_chains, rng, data, start, burn_in, progress)
    walk = betas if direction == "forward" else betas[::-1]
    log_w = walk_log_weights(rbm, b_base, v, walk, rng, progress=progress)
    return LogZEstimate.from_weights(log_w, log_z_of_base(rbm, b_base), direction, len(betas))


def ais_both(
    rbm: RBM, rng: np.random.Generator, *, max_gap: float = 1.0, **settings: Any
) -> BothDirections:
    """Forward and reverse AIS; between them lies log Z, if the reverse chains started well.

    Parameters
    ----------
    max_gap : the difference in nats above which they disagree, even if their intervals overlap
    settings : see `ais`

    Warns
    -----
    DirectionsDisagreeWarning
        where the intervals do not overlap, or the values differ by more than `max_gap`
    """
    max_gap = check_real("max_gap", max_gap, 0)
    both = BothDirections(
        ais(rbm, rng, direction="forward", **settings),
        ais(rbm, rng, direction="reverse", **settings),
    )
    if not both.overlap or abs(both.gap) > max_gap:
        intervals = "intervals overlap" if both.overlap else "intervals do not overlap"
        warnings.warn(
            f"forward AIS says log Z = {both.forward.value:.2f} and reverse AIS "
            f"{both.reverse.value:.2f}; their {intervals} and the gap is {both.gap:.2f} nats. "
            "Chains have missed states of the model: use more temperatures, and for reverse a "
            "longer burn_in or a better start",
            DirectionsDisagreeWarning,
            stacklevel=2,
        )
    return both


def base_bias(rbm: RBM, data: np.ndarray | None) -> np.ndarray:
    """b_A, in the machine's dtype: the bias that fits the data's means, or b."""
    if data is None:
        return rbm.b.copy()
    return rbm.visible.bias_for(data.mean(axis=0, dtype=np.float64)).astype(rbm.dtype)


def log_z_of_base(rbm: RBM, b_base: np.ndarray) -> float:
    """log Z_A = A_v(b_A) + A_h(0), in nats."""
    visible = rbm.visible.log_normaliser(b_base[None, :].astype(np.float64))
    hidden = rbm.hidden.log_normaliser(np.zeros((1, rbm.n_hidden)))
    return float(visible[0] + hidden[0])


def walk_log_weights(
    rbm: RBM,
    b_base: np.ndarray,
    v: np.ndarray,
    betas: np.ndarray,
    rng: np.random.Generator,
    *,
    progress: bool | None = False,
) -> np.ndarray:
    """log w of chains that walk along `betas`, up or down: Σₖ F_{k−1}(vₖ) − F_k(vₖ).

    Parameters
    ----------
    b_base : array of shape (n_visible,), b_A
    v : array of shape (n_chains, n_visible), draws from the machine at betas[0]

    Returns
    -------
    ndarray of shape (n_chains,), in nats, float64
    """
    n, dtype = len(v), rbm.dtype
    x, h_mean, h = (np.empty((n, rbm.n_hidden), dtype) for _ in range(3))
    y, v_mean = (np.empty((n, rbm.n_visible), dtype) for _ in range(2))
    v = np.array(v, dtype=dtype)
    change = rbm.b - b_base
    log_w = np.zeros(n)
    # Rounded to the machine's dtype, so that weights and chains walk along the same machines.
    betas = betas.astype(dtype).tolist()
    with bar(len(betas) - 1, "AIS", "temperature", show=progress) as shown:
        for old, new in pairwise(betas):
            # log w += Δβ (b − b_A)'v + A_h(new x) − A_h(old x),  x = c + vW
            np.matmul(v, rbm.W, out=x)
            x += rbm.c
            log_w += (new - old) * (v @ change)
            log_w += log_normaliser_rise(rbm.hidden, x, old, new, buffers=(h_mean, h))
            # a Gibbs step of the new machine: h ~ p(h | v), v ~ p(v | h)
            x *= new
            rbm.hidden.mean(x, out=h_mean)
            rbm.hidden.draw(x, h_mean, rng, out=h)
            np.matmul(h, rbm.W.T, out=y)
            y *= new
            y += b_base + new * change
            rbm.visible.mean(y, out=v_mean)
            rbm.visible.draw(y, v_mean, rng, out=v)
            shown.update(1)
    return log_w


def log_normaliser_rise(
    units: Units,
    x: np.ndarray,
    old: float,
    new: float,
    *,
    buffers: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """A(new x) − A(old x), summed over the layer, without the digits that two sums would lose.

    For Bernoulli units log(1 + eᵝˣ) = β max(x, 0) + log(1 + e^−β|x|), so that the rise is

        Δβ Σ max(x, 0) + Σ log (1 + e^−new|x|) / (1 + e^−old|x|)

    No exponent is positive and each ratio lies between ½ and 2.

    Parameters
    ----------
    x : array of shape (n_examples, n), the field at β = 1; it is not changed
    buffers : two arrays like x to work in

    Returns
    -------
    ndarray of shape (n_examples,), in nats, float64
    """
    if isinstance(units, Groups):
        inside = [None] * len(units.members)
        if buffers is not None:
            inside = [tuple(buffer[:, columns] for buffer in buffers) for columns in units.slices]
        parts = zip(units.parts(x), inside, strict=True)
        return sum(log_normaliser_rise(m, part, old, new, buffers=b) for (m, part), b in parts)
    if isinstance(units, Bernoulli):
        size, ratio = (np.empty_like(x), np.empty_like(x)) if buffers is None else buffers
        np.abs(x, out=size)
        # Σ max(x, 0) = ½ Σ x + |x|
        rise = 0.5 * (new - old) * (x.sum(axis=1) + size.sum(axis=1)).astype(np.float64)
        np.multiply(size, -new, out=ratio)
        np.exp(ratio, out=ratio)
        ratio += 1
        size *= -old
        np.exp(size, out=size)
        size += 1
        ratio /= size
        return rise + np.log(ratio, out=ratio).sum(axis=1)
    if isinstance(units, Gaussian):
        # ½ (new x)² − ½ (old x)²
        return 0.5 * (new - old) * (new + old) * np.einsum("ij,ij->i", x, x).astype(np.float64)
    wide = x.astype(np.float64)
    return units.log_normaliser(new * wide) - units.log_normaliser(old * wide)


def reverse_start(
    rbm: RBM,
    n_chains: int,
    rng: np.random.Generator,
    data: Any,
    start: Any,
    burn_in: int,
    progress: bool | None = False,
) -> np.ndarray:
    """Where reverse chains start: exact draws if that is possible, else rows and Gibbs steps.

    Parameters as for `ais`. Returns states of shape (n_chains, n_visible).
    """
    if start is None and is_small(rbm, MAX_EXACT_STATES):
        return exact_samples(rbm, n_chains, rng)
    rows = data if start is None else start
    if rows is None:
        raise ValueError(
            f"reverse AIS starts from draws of the model, and {rbm!r} is too large for exact ones; "
            "pass data=... (rows that the model was trained on) or start=... (rows of your own)"
        )
    burn_in = check_count("burn_in", burn_in, 0)
    check = rbm.check_visible if burn_in else rbm.check_visible_states
    rows = check("data" if start is None else "start", rows)
    if len(rows) != n_chains:
        rows = rows[rng.choice(len(rows), n_chains, replace=len(rows) < n_chains)]
    return run_chain(rbm, rows, burn_in, rng, progress=progress)
