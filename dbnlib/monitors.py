"""What one watches while an RBM trains. Each monitor is a number that a machine gets each epoch.

None of them draws from the training's generator, so watching changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from dbnlib.exact import (
    is_small,
    log_likelihood,
    log_partition,
    pseudo_log_likelihood,
    smaller_side,
)
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli

#: at most so many rows are looked at
MAX_ROWS = 1000

Monitor = Callable[[RBM], float]


def reconstruction_error(rbm: RBM, v: np.ndarray) -> float:
    """Mean over the rows of Σᵢ (vᵢ − v'ᵢ)², with v' the mean-field reconstruction.

    CD does not lower it at every step, and a machine that does not mix has it low: it is easy to
    compute and easy to be misled by.
    """
    return float(np.square(v - rbm.reconstruct(v)).sum(axis=1, dtype=np.float64).mean())


def free_energy_gap(rbm: RBM, v: np.ndarray, held_out: np.ndarray) -> float:
    """Mean F(held-out rows) − mean F(training rows), in nats; it grows as the machine overfits.

    Z cancels in the difference, so this compares likelihoods without knowing them.
    Source: Hinton (2010), section 6.
    """
    return float(rbm.free_energy(held_out).mean() - rbm.free_energy(v).mean())


def mean_pseudo_log_likelihood(rbm: RBM, v: np.ndarray) -> float:
    """Mean pseudo-log-likelihood of the rows, rounded to 0 and 1, from at most 20 units a row."""
    n_flips = min(20, rbm.n_visible)
    binary = (v >= 0.5).astype(rbm.dtype)
    rng = np.random.default_rng(0)
    return float(pseudo_log_likelihood(rbm, binary, n_flips=n_flips, rng=rng).mean())


def hidden_activity(rbm: RBM, v: np.ndarray) -> float:
    """Mean of E[h | v] over rows and hidden units; near 0 or 1 the units are dead or stuck."""
    return float(rbm.hidden_mean(v).mean())


def mean_log_likelihood(rbm: RBM, v: np.ndarray) -> float:
    """Mean log p(v) of the rows, in nats, by enumeration: small machines only."""
    return float(log_likelihood(rbm, v, log_z=log_partition(rbm, progress=False)).mean())


NAMES = (
    "reconstruction_error",
    "pseudo_log_likelihood",
    "free_energy_gap",
    "log_likelihood",
    "held_out_log_likelihood",
    "hidden_activity",
)


def make_monitors(
    chosen: Sequence[str] | Mapping[str, Monitor] | None,
    rbm: RBM,
    v: np.ndarray,
    held_out: np.ndarray | None,
) -> dict[str, Monitor]:
    """Monitors by name, over the first 1000 training rows and held-out rows.

    Parameters
    ----------
    chosen : names out of `NAMES`, or a mapping from names of your own to functions of the machine.
        By default the reconstruction error, the free-energy gap where rows are held out, and the
        exact likelihood where a layer has at most 2¹² states and the rows are binary.

    Raises
    ------
    ValueError
        for an unknown name, or one that needs held-out rows where there are none
    """
    if isinstance(chosen, Mapping):
        return dict(chosen)
    if chosen is None:
        chosen = ["reconstruction_error"]
        chosen += ["log_likelihood"] * (is_small(rbm) and rbm.visible.are_states(v))
        chosen += ["free_energy_gap"] * (held_out is not None)
    if isinstance(chosen, str):
        raise ValueError(f"monitors must be a list of names, got the string {chosen!r}")
    rows = v[:MAX_ROWS]
    others = None if held_out is None else held_out[:MAX_ROWS]
    available: dict[str, Monitor] = {
        "reconstruction_error": lambda rbm: reconstruction_error(rbm, rows),
        "pseudo_log_likelihood": lambda rbm: mean_pseudo_log_likelihood(rbm, rows),
        "free_energy_gap": lambda rbm: free_energy_gap(rbm, rows, others),
        "log_likelihood": lambda rbm: mean_log_likelihood(rbm, rows),
        "held_out_log_likelihood": lambda rbm: mean_log_likelihood(rbm, others),
        "hidden_activity": lambda rbm: hidden_activity(rbm, rows),
    }
    for name in chosen:
        if name not in available:
            raise ValueError(f"unknown monitor {name!r}; there are {', '.join(NAMES)}")
        if others is None and name in ("free_energy_gap", "held_out_log_likelihood"):
            raise ValueError(
                f"the monitor {name!r} needs rows that are held out: pass held_out=..."
            )
        if name.endswith("log_likelihood") and not name.startswith("pseudo"):
            looked_at = rows if name == "log_likelihood" else others
            smaller_side(rbm)
            rbm.check_visible_states(f"the monitor {name!r}: rows", looked_at)
        if name == "pseudo_log_likelihood" and not isinstance(rbm.visible, Bernoulli):
            raise ValueError(f"the monitor {name!r} needs Bernoulli visible units")
    return {name: available[name] for name in chosen}
