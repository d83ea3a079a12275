"""What a layer of units *is*: its values, and its distribution given the field that it feels.

Every layer here is an exponential family. With field x (one number per unit) its units are
independent, or, for softmax, one joint draw:

    p(u | x) = exp(x'u − r(u) − A(x))        A(x) = log ∫ exp(x'u − r(u)) du

u is the layer's state, r(u) the layer's own energy, A the log-normaliser. Three facts carry the
whole library: the mean of u is A's derivative; summing a layer out of a model leaves exp(A); and
an energy model is its bilinear part plus r of each layer.

=========  ==============  =======  ==========================  ======================
layer      values          r(u)     mean given x                A(x) per unit
=========  ==============  =======  ==========================  ======================
Bernoulli  {0, 1}          0        σ(x)                        log(1 + eˣ)
Gaussian   all reals       ½u²      x                           ½x² + ½log 2π
Softmax    one-hot of n    0        eˣ / Σeˣ                    log Σeˣ (whole layer)
ReLU       u ≥ 0           ½u²      x + φ(x)/Φ(x)               ½x² + ½log 2π + log Φ(x)
=========  ==============  =======  ==========================  ======================

The rectified linear unit is the Gaussian unit cut at zero: its most probable value is max(0, x).
`dbnlib.groups` sets layers side by side, such as pixels and a label, and makes layers by name.

Sources: Welling, Rosen-Zvi, Hinton (2004), exponential family harmoniums; for the rectified unit
Su, Liao, Chen, Carin (2017), truncated Gaussian graphical models.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtri_exp

from dbnlib.checks import NotNormalisableError, check_count, check_range
from dbnlib.uniforms import uniforms

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def sigmoid(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """σ(x) = 1 / (1 + e⁻ˣ), written as ½(1 + tanh(x/2)), which overflows nowhere."""
    out = np.asarray(np.multiply(x, 0.5, out=out))  # of a number, too, an array
    np.tanh(out, out=out)
    out += 1.0
    out *= 0.5
    return out


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|), which overflows nowhere."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def all_zero_or_one(array: np.ndarray) -> bool:
    """Whether all entries are 0 or 1, by some rows at a time: masks of all would fill memory."""
    chunks = (array[start : start + 1000] for start in range(0, len(array), 1000))
    return all(bool(((rows == 0) | (rows == 1)).all()) for rows in chunks)


class Units:
    """A layer of `n` units. Fields and states have shape (n_examples, n)."""

    name: ClassVar[str]
    #: lowest and highest value a state may have
    low: ClassVar[float] = -np.inf
    high: ClassVar[float] = np.inf

    def __init__(self, n: int):
        self.n = check_count(f"the number of {type(self).__name__} units", n)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.n})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.n == other.n

    __hash__ = None

    @property
    def n_states(self) -> int:
        """How many states the layer has; NotNormalisableError where they are uncountable."""
        raise NotNormalisableError(
            f"{self!r} has continuously many states and cannot be enumerated; "
            "only Bernoulli and Softmax layers can"
        )

    def states(self, start: int, stop: int, dtype: type = np.float64) -> np.ndarray:
        """States number start … stop−1 of the enumeration, shape (stop − start, n)."""
        return self.numbered(np.arange(start, stop, dtype=np.int64), dtype)

    def numbered(self, numbers: np.ndarray, dtype: type = np.float64) -> np.ndarray:
        """The states with these numbers, shape (len(numbers), n)."""
        raise NotImplementedError

    def check(self, name: str, states: np.ndarray) -> None:
        """Raise ValueError where a state (or a mean of states) is outside the layer's range."""
        if np.isfinite(self.low) or np.isfinite(self.high):
            check_range(name, states, self.low, self.high)

    def are_states(self, array: np.ndarray) -> bool:
        """Whether all rows are states, not means of states; only states have a probability."""
        return True

    def rest_energy(self, states: np.ndarray) -> np.ndarray | float:
        """r(u), summed over the layer: shape (n_examples,), or 0 where there is none."""
        return 0.0

    def log_probability(self, states: np.ndarray, field: np.ndarray) -> np.ndarray:
        """log p(u | x) = x'u − r(u) − A(x) for all pairs of rows: (n_states, n_fields), in nats."""
        inner = states @ field.T
        rest = np.reshape(self.rest_energy(states), (-1, 1))
        return inner - rest - self.log_normaliser(field)

    def log_normaliser(self, field: np.ndarray) -> np.ndarray:
        """A(x), summed over the layer: shape (n_examples,), in nats."""
        raise NotImplementedError

    def mean(self, field: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """E[u | x], the derivative of A; `out` may be `field` itself."""
        raise NotImplementedError

    def draw(
        self,
        field: np.ndarray,
        mean: np.ndarray,
        rng: np.random.Generator,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """One draw from p(u | x), given the field x and its mean, which most units draw from.

        `mean` may have been computed in place over `field`, except for rectified units.
        """
        raise NotImplementedError

    def sample(self, field: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One draw from p(u | x), an array like `field`."""
        return self.draw(field, self.mean(field), rng)

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """The field whose mean is `mean`: the bias of a layer on its own that fits the data."""
        raise NotImplementedError


class Bernoulli(Units):
    """Units that are off (0) or on (1); a value between is the probability of being on."""

    name = "bernoulli"
    low, high = 0.0, 1.0

    @property
    def n_states(self) -> int:
        """2ⁿ."""
        return 2**self.n

    def numbered(self, numbers: np.ndarray, dtype: type = np.float64) -> np.ndarray:
        """Rows of binary digits, the last unit being the least significant."""
        return ((numbers[:, None] >> np.arange(self.n - 1, -1, -1)) & 1).astype(dtype)

    def are_states(self, array: np.ndarray) -> bool:
        """Whether all values are 0 or 1."""
        return all_zero_or_one(array)

    def log_normaliser(self, field: np.ndarray) -> np.ndarray:
        """Σ log(1 + eˣ)."""
        return softplus(field).sum(axis=1)

    def mean(self, field: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """σ(x)."""
        return sigmoid(field, out=out)

    def draw(
        self,
        field: np.ndarray,
        mean: np.ndarray,
        rng: np.random.Generator,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """1 where a uniform number falls below the mean, else 0."""
        u = uniforms(rng, mean.shape, mean.dtype, out=out)
        return np.less(u, mean, out=u)

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """log m/(1 − m), with m kept 0.001 away from 0 and 1 so that no unit starts frozen."""
        mean = np.clip(mean, 0.001, 0.999)
        return np.log(mean) - np.log1p(-mean)


class Gaussian(Units):
    """Units with any real value and unit variance.

    Two rules make an RBM with such visible units learn. The data must be as large as that noise:
    bring them to mean 0 and variance 1; grey values from 0 to 1 drown in it, and nothing is
    learned. And the rate must be low, 0.01 to start with, since nothing bounds the units: with
    rectified hidden units ten times that diverges, with Bernoulli ones a hundred times.
    The tests measure both rules on grey digits.

    Source: Hinton (2010), section 13.2.
    """

    name = "gaussian"

    def rest_energy(self, states: np.ndarray) -> np.ndarray:
        """½ Σ u²."""
        return 0.5 * np.einsum("ij,ij->i", states, states)

    def log_normaliser(self, field: np.ndarray) -> np.ndarray:
        """Σ ½x² + ½ log 2π."""
        return 0.5 * np.einsum("ij,ij->i", field, field) + self.n * HALF_LOG_2PI

    def mean(self, field: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """x."""
        return np.positive(field, out=out)

    def draw(
        self,
        field: np.ndarray,
        mean: np.ndarray,
        rng: np.random.Generator,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """The mean plus standard normal noise."""
        noise = rng.standard_normal(mean.shape, dtype=mean.dtype, out=out)
        return np.add(noise, mean, out=noise)

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """The mean itself."""
        return np.array(mean)


class Softmax(Units):
    """One choice out of n, written one-hot: a label."""

    name = "softmax"
    low, high = 0.0, 1.0

    @property
    def n_states(self) -> int:
        """n: one state for each choice."""
        return self.n

    def numbered(self, numbers: np.ndarray, dtype: type = np.float64) -> np.ndarray:
        """Rows of the identity matrix."""
        return np.eye(self.n, dtype=dtype)[numbers]

    def check(self, name: str, states: np.ndarray) -> None:
        """Rows must be probabilities that sum to 1 (one-hot rows do)."""
        super().check(name, states)
        sums = states.sum(axis=1)
        if not np.allclose(sums, 1, atol=1e-4):
            raise ValueError(
                f"{name}: each row of a Softmax layer must sum to 1, got sums from "
                f"{sums.min():g} to {sums.max():g}; pass one-hot rows"
            )

    def are_states(self, array: np.ndarray) -> bool:
        """Whether each row has a single 1 among zeros."""
        return all_zero_or_one(array) and bool((array.sum(axis=1) == 1).all())

    def log_normaliser(self, field: np.ndarray) -> np.ndarray:
        """log Σ eˣ, with the largest field taken out first."""
        largest = field.max(axis=1)
        return largest + np.log(np.exp(field - largest[:, None]).sum(axis=1))

    def mean(self, field: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """eˣ / Σ eˣ."""
        out = np.subtract(field, field.max(axis=1, keepdims=True), out=out)
        np.exp(out, out=out)
        out /= out.sum(axis=1, keepdims=True)
        return out

    def draw(
        self,
        field: np.ndarray,
        mean: np.ndarray,
        rng: np.random.Generator,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """One-hot: the first choice whose cumulated probability exceeds a uniform number."""
        cumulated = np.cumsum(mean, axis=1, dtype=np.float64)
        threshold = rng.random((len(mean), 1)) * cumulated[:, -1:]
        choice = (cumulated > threshold).argmax(axis=1)
        if out is None:
            out = np.empty_like(mean)
        out[...] = 0
        out[np.arange(len(mean)), choice] = 1
        return out

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """log m, with m kept above 0.0001."""
        return np.log(np.maximum(mean, 1e-4))


class ReLU(Units):
    """Units with non-negative values: a unit Gaussian around the field, cut at zero."""

    name = "relu"
    low = 0.0

    def rest_energy(self, states: np.ndarray) -> np.ndarray:
        """½ Σ u²."""
        return 0.5 * np.einsum("ij,ij->i", states, states)

    def log_normaliser(self, field: np.ndarray) -> np.ndarray:
        """Σ ½x² + ½ log 2π + log Φ(x), as Σ log(√(π/2) erfcx(−x/√2)) where x < 0.

        There the first and the last term are large and cancel; erfcx has them cancelled already.
        """
        negative = np.minimum(field, 0)
        positive = np.maximum(field, 0)
        below = np.log(erfcx(-negative / np.sqrt(2, dtype=field.dtype)))
        # for x > 0: ½x² + log Φ(x) + ½ log 2π; both branches meet at x = 0
        above = 0.5 * positive**2 + log_ndtr(positive) - np.log(np.asarray(0.5, field.dtype))
        return (below + above).sum(axis=1) + self.n * (0.5 * math.log(math.pi / 2))

    def mean(self, field: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """x + φ(x)/Φ(x), with φ(x)/Φ(x) = √(2/π) / erfcx(−x/√2); it tends to −1/x far below 0."""
        x = np.maximum(field.astype(np.float64), -1e6)
        mean = x + np.sqrt(2 / np.pi) / erfcx(-x / np.sqrt(2))
        # The sum loses a digit with each power of ten; from −300 down the series −1/x + 2/x³ is
        # right to nine digits at the worst, and ever better.
        far = np.minimum(x, -300)
        mean = np.where(x < -300, -1 / far + 2 / far**3, mean)
        if out is None:
            return mean.astype(field.dtype)
        out[...] = mean
        return out

    def draw(
        self,
        field: np.ndarray,
        mean: np.ndarray,
        rng: np.random.Generator,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """x − Φ⁻¹(U Φ(x)) with U uniform: the inverse distribution function, in log space."""
        x = np.maximum(field.astype(np.float64), -1e6)
        # 1 − U lies in (0, 1], so that its logarithm is finite.
        log_uniform = np.log1p(-rng.random(field.shape))
        drawn = np.maximum(x - ndtri_exp(log_uniform + log_ndtr(x)), 0)
        # Far below zero the law is exponential with rate −x.
        drawn = np.where(x < -300, log_uniform / np.minimum(x, -1), drawn)
        if out is None:
            return drawn.astype(field.dtype)
        out[...] = drawn
        return out

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """The mean itself, near enough for a start."""
        return np.array(mean)
