"""An estimate of log Z from importance weights: its value, its interval, and what carries it.

    Z ≈ Z_A · (1/n) Σᵢ wᵢ          with E[w] = Z / Z_A,     from below (forward), or
    Z ≈ Z_A / ((1/n) Σᵢ wᵢ)        with E[w] = Z_A / Z,     from above (reverse)

The mean of the weights is unbiased, its logarithm is not: log is concave, so forward estimates are
too low on average, and reverse ones too high.

Sources: Neal (2001); Salakhutdinov and Murray (2008); Burda, Grosse, Salakhutdinov (2015).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from scipy.special import logsumexp

#: half the width of an interval, in standard errors
N_ERRORS = 3.0
#: how often a normal variable is further than that above its mean: 0.00135
TAIL = 0.5 * math.erfc(N_ERRORS / math.sqrt(2))


class DirectionsDisagreeWarning(UserWarning):
    """Forward and reverse AIS exclude each other: at least one of them has missed states."""


def effective_sample_size(log_w: np.ndarray) -> float:
    """(Σ w)² / Σ w²: n where all weights are equal, 1 where one of them is all there is."""
    return float(np.exp(2 * logsumexp(log_w) - logsumexp(2 * log_w)))


def log_mean_interval(log_w: np.ndarray) -> tuple[float, float, float]:
    """log of the mean weight, and the interval of three standard errors of that mean, as logs.

    The standard error is itself an estimate, and a poor one where few weights carry the sum. So

    - the low end falls no lower than log w̄ − log(1/0.00135) = log w̄ − 6.6: weights are not
      negative, so that the mean of n draws exceeds its expectation 740-fold with a probability of
      at most 1/740, however heavy the tail (Markov's inequality);
    - where three standard errors are more than half the mean (fewer than some 35 effective
      weights), the high end is that of a lognormal law, μ + ½s² + 3 √(s²/n + s⁴/2(n−1)) with μ and
      s² the mean and variance of log w, if that is higher: log w is a sum of many small steps, and
      its largest values have probably not been met.

    No interval knows of a region that no chain has entered.

    Parameters
    ----------
    log_w : array of shape (n,), n ≥ 2

    Returns
    -------
    (value, low, high) in nats
    """
    n = len(log_w)
    largest = log_w.max()
    w = np.exp(log_w - largest)
    value = float(largest + np.log(w.mean()))
    relative = float(N_ERRORS * w.std(ddof=1) / math.sqrt(n) / w.mean())
    low = value + math.log(max(1 - relative, TAIL))
    high = value + math.log1p(relative)
    if relative > 0.5:
        variance = float(log_w.var(ddof=1))
        spread = math.sqrt(variance / n + variance**2 / (2 * (n - 1)))
        high = max(high, float(log_w.mean()) + 0.5 * variance + N_ERRORS * spread)
    return value, low, high


@dataclass(frozen=True, repr=False, eq=False)  # its array can be neither compared nor hashed
class LogZEstimate:
    """log Z of an RBM by annealed importance sampling, in nats.

    Attributes
    ----------
    value, low, high : the estimate and its interval, see `log_mean_interval`
    log_weights : ndarray of shape (n_chains,), float64; log Z_A is not in them
    direction : 'forward' or 'reverse'
    n_betas : number of temperatures, both ends counted
    """

    value: float
    low: float
    high: float
    log_weights: np.ndarray
    direction: str
    n_betas: int

    @classmethod
    def from_weights(
        cls, log_weights: np.ndarray, log_z_base: float, direction: str, n_betas: int
    ) -> Self:
        """The estimate for a base machine with log Z_A = `log_z_base`."""
        value, low, high = log_mean_interval(log_weights)
        if direction == "reverse":  # Z_A / w̄: the sign turns, and the ends change places
            value, low, high = -value, -high, -low
        ends = (log_z_base + value, log_z_base + low, log_z_base + high)
        return cls(*ends, log_weights, direction, n_betas)

    @property
    def n_chains(self) -> int:
        """Number of chains, one weight each."""
        return len(self.log_weights)

    @property
    def effective_sample_size(self) -> float:
        """How many equal weights would tell as much: far below n_chains, few chains carry all."""
        return effective_sample_size(self.log_weights)

    def __repr__(self) -> str:
        return (
            f"log Z = {self.value:.2f}, interval {self.low:.2f} to {self.high:.2f} "
            f"({self.direction} AIS, {self.n_chains} chains × {self.n_betas} temperatures, "
            f"effective sample size {self.effective_sample_size:.1f})"
        )


class BothDirections(NamedTuple):
    """A forward and a reverse estimate of the same log Z."""

    forward: LogZEstimate
    reverse: LogZEstimate

    @property
    def gap(self) -> float:
        """reverse − forward, in nats: positive on average, and 0 in the limit of many steps."""
        return self.reverse.value - self.forward.value

    @property
    def overlap(self) -> bool:
        """Whether the two intervals have a number in common."""
        return self.forward.low <= self.reverse.high and self.reverse.low <= self.forward.high

    def __repr__(self) -> str:
        return f"forward: {self.forward!r}\nreverse: {self.reverse!r}\ngap: {self.gap:.2f} nats"
