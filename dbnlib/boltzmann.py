"""The general Boltzmann machine: any unit may be connected with any other.

    E(x) = −½ x'Jx − b'x        p(x) = exp(−E(x)) / Z        x ∈ {0, 1}ⁿ

J is symmetric with a zero diagonal, so each pair counts once. The first units are visible, the
rest hidden: x = (v, h). A restricted Boltzmann machine is the special case in which J connects
the two layers and nothing inside them.

Given all the others, one unit is a coin: p(xᵢ = 1 | the rest) = σ(bᵢ + Σⱼ Jᵢⱼ xⱼ). But units that
are connected cannot be drawn together, which is what makes this machine slow and a restricted
one fast. Small machines can be enumerated: everything that says *exact* here is a sum over all
2ⁿ states, in float64.

Sources: Ackley, Hinton, Sejnowski (1985); for the sampler Geman and Geman (1984).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from scipy.special import logsumexp

from dbnlib.checks import (
    NotNormalisableError,
    check_array,
    check_count,
    check_couplings,
    check_dtype,
    check_generator,
    check_real,
    check_two_valued,
)
from dbnlib.storage import storable
from dbnlib.units import Bernoulli, sigmoid

#: machines (or hidden layers) with more units than this are not enumerated
MAX_UNITS = 20
#: how many states, or pairs of row and state, are held at a time
BLOCK = 2**16


def between_layers(n_visible: int, n_hidden: int) -> np.ndarray:
    """Which pairs join a visible with a hidden unit: bool, shape (n_units, n_units)."""
    hidden = np.arange(n_visible + n_hidden) >= n_visible
    return hidden[:, None] != hidden[None, :]


@storable("boltzmann")
class BoltzmannMachine:
    """A Boltzmann machine with given parameters.

    Parameters
    ----------
    J : array of shape (n_units, n_units)
        couplings, symmetric, zero diagonal; their dtype (float32 or float64) is the machine's
    b : array of shape (n_units,), optional
        biases, zero if not given
    n_visible : int, optional
        the first so many units are visible, the rest hidden; all are visible if not given

    Examples
    --------
    >>> machine = BoltzmannMachine([[0.0, 2.0], [2.0, 0.0]], b=[-1.0, 0.0])
    >>> machine.energy([[1, 1], [1, 0]])
    array([-1.,  1.])
    """

    def __init__(self, J: Any, b: Any = None, n_visible: int | None = None):
        self.J = check_couplings("J", J)
        n = len(self.J)
        b = np.zeros(n) if b is None else check_array("b", b, ndim=1, shape=(n,))
        self.b = np.array(b, dtype=self.J.dtype)
        self.n_visible = n if n_visible is None else check_count("n_visible", n_visible)
        if self.n_visible > n:
            raise ValueError(f"n_visible is {n_visible}, but J has only {n} units")

    @classmethod
    def random(
        cls,
        n_visible: int,
        n_hidden: int,
        rng: np.random.Generator,
        *,
        scale: float = 0.1,
        lateral: bool = True,
        dtype: type = np.float32,
    ) -> Self:
        """A machine before training: small normal couplings, zero biases.

        Parameters
        ----------
        scale : standard deviation of the couplings
        lateral : whether units of the same layer are connected; without, it is an RBM
        """
        n_visible = check_count("n_visible", n_visible)
        n_hidden = check_count("n_hidden", n_hidden, 0)
        n = n_visible + n_hidden
        upper = np.triu(check_generator(rng).standard_normal((n, n)), 1)
        J = check_real("scale", scale, 0) * (upper + upper.T)
        if not lateral:
            J *= between_layers(n_visible, n_hidden)
        return cls(J.astype(check_dtype(dtype)), n_visible=n_visible)

    def __repr__(self) -> str:
        return (
            f"BoltzmannMachine({self.n_visible} visible, {self.n_hidden} hidden, "
            f"dtype={self.dtype})"
        )

    @property
    def n_units(self) -> int:
        """Number of units, visible and hidden."""
        return len(self.J)

    @property
    def n_hidden(self) -> int:
        """Number of hidden units."""
        return self.n_units - self.n_visible

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64, that of J."""
        return self.J.dtype

    def check_states(self, name: str, x: Any) -> np.ndarray:
        """`x` as rows of bits, one a unit, in the machine's dtype."""
        return self._check_bits(name, x, self.n_units)

    def check_visible(self, name: str, v: Any) -> np.ndarray:
        """`v` as rows of bits, one a visible unit, in the machine's dtype."""
        return self._check_bits(name, v, self.n_visible)

    def _check_bits(self, name: str, states: Any, n: int) -> np.ndarray:
        states = check_array(name, states, ndim=2, shape=(None, n))
        instead = "for spins call dbnlib.spins.to_bits, for probabilities draw bits from them"
        check_two_valued(name, states, (0, 1), instead)
        return states.astype(self.dtype, copy=False)

    # ---- one state

    def energy(self, x: Any) -> np.ndarray:
        """E(x) = −½ x'Jx − b'x.

        x : (n_examples, n_units) → (n_examples,), in nats.

        Source: Ackley, Hinton, Sejnowski (1985), with biases for their thresholds.
        """
        x = self.check_states("x", x)
        return -0.5 * np.einsum("ni,ni->n", x, x @ self.J) - x @ self.b

    def field(self, x: Any) -> np.ndarray:
        """bᵢ + Σⱼ Jᵢⱼ xⱼ: by how much the energy falls when unit i goes from off to on.

        x : (n_examples, n_units) → (n_examples, n_units), in nats.
        """
        return self.b + self.check_states("x", x) @ self.J

    def conditional_means(self, x: Any) -> np.ndarray:
        """p(xᵢ = 1 | all other units of x) = σ(bᵢ + Σⱼ Jᵢⱼ xⱼ), for each i.

        x : (n_examples, n_units) → (n_examples, n_units).
        """
        return sigmoid(self.field(x))

    def gibbs_step(
        self,
        x: Any,
        rng: np.random.Generator,
        *,
        beta: float = 1.0,
        clamped: np.ndarray | None = None,
    ) -> np.ndarray:
        """One sweep of Gibbs sampling: each unit in turn is drawn given all the others.

        Parameters
        ----------
        x : array of shape (n_chains, n_units)
        beta : inverse temperature; the field is multiplied by it
        clamped : bool array of shape (n_units,) or (n_chains, n_units), optional
            units that keep their value

        Returns
        -------
        ndarray of shape (n_chains, n_units), a new array

        Source: Geman and Geman (1984).
        """
        x = np.array(self.check_states("x", x))
        beta = self.dtype.type(beta)
        held = self._check_clamped(clamped, len(x))
        uniforms = check_generator(rng).random(x.shape, dtype=self.dtype)
        for i in np.flatnonzero(~held.all(axis=0)):
            # p(xᵢ = 1 | the rest) = σ(β (bᵢ + Σⱼ Jᵢⱼ xⱼ))
            p = sigmoid(beta * (self.b[i] + x @ self.J[i]))
            x[:, i] = np.where(held[:, i], x[:, i], uniforms[:, i] < p)
        return x

    def _check_clamped(self, clamped: np.ndarray | None, n_chains: int) -> np.ndarray:
        if clamped is None:
            return np.zeros((n_chains, self.n_units), dtype=bool)
        clamped = np.asarray(clamped)
        shapes = ((self.n_units,), (n_chains, self.n_units))
        if clamped.dtype != bool or clamped.shape not in shapes:
            raise ValueError(
                f"clamped must be a bool array of shape {shapes[0]} or {shapes[1]}, True where a "
                f"unit keeps its value, got dtype {clamped.dtype} and shape {clamped.shape}"
            )
        return np.broadcast_to(clamped, shapes[1])

    # ---- exact, by enumeration

    def log_partition(self) -> float:
        """log Z = log Σₓ exp(−E(x)), over all 2ⁿ states, in nats.

        Raises NotNormalisableError beyond MAX_UNITS units, as do all exact quantities.
        """
        return float(logsumexp(self._log_weights()))

    def distribution(self) -> np.ndarray:
        """p(x) = exp(−E(x)) / Z for every state, shape (2ⁿ,).

        In the order of `Bernoulli(n_units).states`: the last unit is the least significant bit.
        """
        log_weights = self._log_weights()
        return np.exp(log_weights - logsumexp(log_weights))

    def visible_distribution(self) -> np.ndarray:
        """p(v) = Σₕ p(v, h) for every visible state, shape (2 ** n_visible,), in that order."""
        return self.distribution().reshape(2**self.n_visible, 2**self.n_hidden).sum(axis=1)

    def log_likelihood(self, v: Any) -> np.ndarray:
        """log p(v) = log Σₕ exp(−E(v, h)) − log Z, hidden units summed out.

        v : (n_examples, n_visible) → (n_examples,), in nats.
        """
        log_z = self.log_partition()
        summed = [logsumexp(scores, axis=1) for _, _, scores in self._over_hidden(v)]
        return np.concatenate(summed) - log_z

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """E[xx'] and E[x] under the machine: shapes (n_units, n_units) and (n_units,)."""
        p = self.distribution()
        second, first = np.zeros((self.n_units, self.n_units)), np.zeros(self.n_units)
        for rows, x in self._all_states():
            second += (x * p[rows, None]).T @ x
            first += p[rows] @ x
        return second, first

    def clamped_moments(self, v: Any) -> tuple[np.ndarray, np.ndarray]:
        """E[xx'] and E[x] with the visible units clamped to data, averaged over the rows of v.

        The hidden units are summed out: x = (v, h) with h weighed by p(h | v). Shapes as in
        `moments`. Only the 2 ** n_hidden hidden states are enumerated.

        Source: Ackley, Hinton, Sejnowski (1985); the phase with clamped units.
        """
        v = self.check_visible("v", v)
        n, n_rows = self.n_visible, len(v)
        second, first = np.zeros((self.n_units, self.n_units)), np.zeros(self.n_units)
        for v_part, h, scores in self._over_hidden(v):
            # p(h | v) for each row v and each state h: (rows, 2 ** n_hidden)
            p = np.exp(scores - logsumexp(scores, axis=1, keepdims=True))
            second[:n, :n] += v_part.T @ v_part
            second[:n, n:] += v_part.T @ (p @ h)
            second[n:, n:] += (h * p.sum(axis=0)[:, None]).T @ h
            first += np.concatenate([v_part.sum(axis=0), p.sum(axis=0) @ h])
        second[n:, :n] = second[:n, n:].T
        return second / n_rows, first / n_rows

    def _log_weights(self) -> np.ndarray:
        """−E(x) of all states, shape (2ⁿ,), float64."""
        J, b = self.J.astype(np.float64), self.b.astype(np.float64)
        return np.concatenate(
            [0.5 * np.einsum("ni,ni->n", x, x @ J) + x @ b for _, x in self._all_states()]
        )

    def _all_states(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Block by block, the numbers of the states and the states."""
        check_enumerable(self.n_units, "this machine's")
        n_states = 2**self.n_units
        for start in range(0, n_states, BLOCK):
            stop = min(start + BLOCK, n_states)
            yield slice(start, stop), Bernoulli(self.n_units).states(start, stop)

    def _over_hidden(self, v: Any) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Block by block: rows of v, all hidden states, and −E(v, h) of every such pair."""
        v = self.check_visible("v", v).astype(np.float64)
        check_enumerable(self.n_hidden, "the hidden units'")
        n, n_states = self.n_visible, 2**self.n_hidden
        h = Bernoulli(self.n_hidden).states(0, n_states) if self.n_hidden else np.zeros((1, 0))
        J, b = self.J.astype(np.float64), self.b.astype(np.float64)
        h_alone = 0.5 * np.einsum("ki,ki->k", h, h @ J[n:, n:]) + h @ b[n:]
        n_rows = max(1, BLOCK // n_states)
        for start in range(0, len(v), n_rows):
            rows = v[start : start + n_rows]
            v_alone = 0.5 * np.einsum("ni,ni->n", rows, rows @ J[:n, :n]) + rows @ b[:n]
            yield rows, h, v_alone[:, None] + h_alone + rows @ J[:n, n:] @ h.T

    # ---- copies and files

    def copy(self) -> Self:
        """A machine of its own with equal parameters."""
        return type(self)(self.J, self.b, self.n_visible)

    def to_storage(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Settings and arrays for `dbnlib.storage`."""
        return {"n_visible": self.n_visible}, {"J": self.J, "b": self.b}

    @classmethod
    def from_storage(cls, config: dict, arrays: dict[str, np.ndarray]) -> Self:
        """The machine that `to_storage` took apart."""
        return cls(arrays["J"], arrays["b"], config["n_visible"])


def check_enumerable(n_units: int, whose: str) -> None:
    """Raise NotNormalisableError where 2 ** n_units states are too many to sum over."""
    if n_units > MAX_UNITS:
        raise NotNormalisableError(
            f"{whose} {n_units} units have 2 ** {n_units} = {2**n_units:,} states, too many to "
            f"enumerate (the limit is {MAX_UNITS} units); estimate averages from long Gibbs "
            "chains instead (dbnlib.sampling), or take a smaller machine"
        )
