"""Machines told in spins, ±1, as physics does: Hopfield's memory and Ising's magnet.

A spin s ∈ {−1, +1} and a bit x ∈ {0, 1} say the same: s = 2x − 1. Put this into the energy of a
spin model, with J symmetric and zero on its diagonal, and multiply out:

    E(s) = −½ s'Js − b's
         = −½ x'(4J)x − (2b − 2J1)'x + (b'1 − ½ 1'J1)

So a spin model *is* a Boltzmann machine, with couplings 4J, biases 2b − 2J1 and an energy that
differs by a constant, which no probability notices.

Sources: Hopfield (1982); Ising (1925); Amit, Gutfreund, Sompolinsky (1985) for the capacity.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dbnlib.boltzmann import BoltzmannMachine
from dbnlib.checks import (
    check_array,
    check_count,
    check_couplings,
    check_generator,
    check_real,
    check_two_valued,
)
from dbnlib.units import sigmoid


def check_spins(name: str, s: Any, *, ndim: int, shape: tuple[int | None, ...]) -> np.ndarray:
    """`s` as an array of −1 and +1 of this shape; ValueError otherwise."""
    s = check_array(name, s, ndim=ndim, shape=shape)
    return check_two_valued(name, s, (-1, 1), "for bits call dbnlib.spins.to_spins")


def to_spins(x: Any) -> np.ndarray:
    """s = 2x − 1: bits become spins, in an array of any shape."""
    x = check_array("x", x, ndim=np.ndim(x))
    return 2 * check_two_valued("x", x, (0, 1), "are these spins already?") - 1


def to_bits(s: Any) -> np.ndarray:
    """x = (s + 1) / 2: spins become bits, in an array of any shape."""
    s = check_array("s", s, ndim=np.ndim(s))
    return (check_two_valued("s", s, (-1, 1), "are these bits already?") + 1) / 2


def bits_from_spins(J: Any, b: Any = None) -> tuple[np.ndarray, np.ndarray, float]:
    """4J, 2b − 2J1 and b'1 − ½ 1'J1: the spin model's parameters for bits, and the constant.

    Parameters
    ----------
    J : array of shape (n, n), symmetric, zero diagonal
    b : array of shape (n,), zero if not given

    Returns
    -------
    J_bits, b_bits, constant
        E_spins(2x − 1) = E_bits(x) + constant, so log Z_spins = log Z_bits − constant
    """
    J = check_couplings("J", J)
    b = np.zeros(len(J)) if b is None else check_array("b", b, ndim=1, shape=(len(J),))
    b = b.astype(J.dtype, copy=False)
    constant = b.sum(dtype=np.float64) - 0.5 * J.sum(dtype=np.float64)
    return 4 * J, 2 * b - 2 * J.sum(axis=1), float(constant)


def machine_from_spins(J: Any, b: Any = None) -> BoltzmannMachine:
    """The Boltzmann machine over bits that gives to_bits(s) the probability of s.

    The spin model is E(s) = −½ s'Js − b's; arguments as in `bits_from_spins`.
    """
    J_bits, b_bits, _ = bits_from_spins(J, b)
    return BoltzmannMachine(J_bits, b_bits)


class Hopfield:
    """A memory: each stored pattern is a valley of E(s) = −½ s'Js, and recall rolls downhill.

    Hebb's rule, with one pattern a row of P: J = P'P / n, zero on the diagonal. Random patterns
    are recalled up to about 0.138 n of them; beyond that all are lost together.

    Parameters
    ----------
    patterns : array of shape (n_patterns, n_units) with entries −1 and +1

    Sources: Hopfield (1982); Amit, Gutfreund, Sompolinsky (1985).

    Examples
    --------
    >>> memory = Hopfield([[1, 1, 1, -1, -1, -1]])
    >>> memory.recall([[1, -1, 1, -1, -1, -1]])
    array([[ 1.,  1.,  1., -1., -1., -1.]])
    """

    def __init__(self, patterns: Any):
        self.patterns = check_spins("patterns", patterns, ndim=2, shape=(None, None)).copy()
        # P'P holds whole numbers, exact in floating point: so a field of 0 is exactly 0.
        self._counts = self.patterns.T @ self.patterns
        np.fill_diagonal(self._counts, 0)
        self.J = self._counts / self.dtype.type(self.n_units)

    def __repr__(self) -> str:
        return f"Hopfield({len(self.patterns)} patterns, {self.n_units} units, dtype={self.dtype})"

    @property
    def n_units(self) -> int:
        """Number of units."""
        return self.patterns.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64, that of the patterns."""
        return self.patterns.dtype

    def check_states(self, name: str, s: Any) -> np.ndarray:
        """`s` as rows of spins, in the memory's dtype."""
        s = check_spins(name, s, ndim=2, shape=(None, self.n_units))
        return s.astype(self.dtype, copy=False)

    def energy(self, s: Any) -> np.ndarray:
        """E(s) = −½ s'Js; s : (n_examples, n_units) → (n_examples,)."""
        s = self.check_states("s", s)
        return -0.5 * np.einsum("ni,ni->n", s, s @ self._counts) / self.dtype.type(self.n_units)

    def update(self, s: Any, i: int) -> np.ndarray:
        """Unit i takes the sign of its field Σⱼ Jᵢⱼ sⱼ, and keeps its state where that is 0.

        s : (n_examples, n_units), and a new array of that shape. The energy never rises: unit i's
        share of it is −sᵢ times the field.
        """
        s = np.array(self.check_states("s", s))
        if check_count("i", i, 0) >= self.n_units:
            raise ValueError(f"there is no unit {i}: they count from 0 to {self.n_units - 1}")
        s[:, i] = self._aligned(s, i)
        return s

    def _aligned(self, s: np.ndarray, i: int) -> np.ndarray:
        field = s @ self._counts[i]
        return np.where(field == 0, s[:, i], np.sign(field))

    def recall(
        self, s: Any, rng: np.random.Generator | None = None, *, max_sweeps: int = 100
    ) -> np.ndarray:
        """Update unit after unit, sweep after sweep, until a whole sweep changes nothing.

        Parameters
        ----------
        s : array of shape (n_examples, n_units), where to start
        rng : generator of a new order for each sweep; from first to last unit if not given
        max_sweeps : stop there at the latest; 1 shows the recall step by step

        Returns
        -------
        ndarray of shape (n_examples, n_units), a new array

        It ends because each change lowers the energy, and there are finitely many states.
        """
        s = np.array(self.check_states("s", s))
        if rng is not None:
            check_generator(rng)
        for _ in range(check_count("max_sweeps", max_sweeps)):
            before = s.copy()
            for i in range(self.n_units) if rng is None else rng.permutation(self.n_units):
                s[:, i] = self._aligned(s, i)
            if np.array_equal(s, before):
                break
        return s

    def machine(self, temperature: float = 1.0) -> BoltzmannMachine:
        """The Boltzmann machine with p(s) ∝ exp(−E(s) / temperature), over bits."""
        temperature = check_real("temperature", temperature, 0, open_low=True)
        return machine_from_spins(self.J / self.dtype.type(temperature))


def ising_grid(
    rows: int, cols: int, *, coupling: float = 1.0, field: float = 0.0, periodic: bool = True
) -> BoltzmannMachine:
    """E(s) = −coupling Σ_bonds sᵢsⱼ − field Σᵢ sᵢ on a grid, as a machine over bits.

    Each site has a bond with its right and with its lower neighbour; unit number r·cols + c is
    site (r, c). On a periodic grid the last column's right neighbour is the first column, and
    likewise below. So where a periodic side is 2, neighbours share two bonds and both count; where
    it is 1, the bond would join a site with itself, a constant, and is left out.

    The couplings are a dense matrix: for more than about 1000 sites use `IsingGrid`.
    """
    rows, cols = check_count("rows", rows), check_count("cols", cols)
    sites = np.arange(rows * cols).reshape(rows, cols)
    bonds = np.zeros((sites.size, sites.size))
    for axis in (0, 1):
        here, there = sites, np.roll(sites, -1, axis=axis)
        if not periodic:
            keep = sites.shape[axis] - 1
            here, there = np.delete(here, keep, axis), np.delete(there, keep, axis)
        bonds[here.ravel(), there.ravel()] += 1
    bonds += bonds.T
    np.fill_diagonal(bonds, 0)
    J = check_real("coupling", coupling) * bonds
    return machine_from_spins(J, np.full(sites.size, check_real("field", field)))


class IsingGrid:
    """The same magnet on a large grid, state as an array of ±1, swept like a checkerboard.

    A site's neighbours all have the other colour. So all black sites, given the white ones, are
    independent and are drawn at once, then the white ones. On a periodic grid that needs even
    sides: with an odd one, two sites of the same colour would meet at the seam.

    Bonds are those of `ising_grid`. States have shape (rows, cols), or (n_chains, rows, cols).
    """

    def __init__(
        self,
        rows: int,
        cols: int,
        *,
        coupling: float = 1.0,
        field: float = 0.0,
        periodic: bool = True,
    ):
        self.rows, self.cols = check_count("rows", rows), check_count("cols", cols)
        self.coupling = check_real("coupling", coupling)
        self.field = check_real("field", field)
        self.periodic = bool(periodic)
        if self.periodic and (self.rows % 2 or self.cols % 2):
            raise ValueError(
                f"a periodic grid needs even sides for checkerboard sweeps, got {rows} x {cols}; "
                "take even sides, periodic=False, or ising_grid for a small grid"
            )
        self.black = np.indices((self.rows, self.cols)).sum(axis=0) % 2 == 0

    def __repr__(self) -> str:
        return (
            f"IsingGrid({self.rows}, {self.cols}, coupling={self.coupling:g}, "
            f"field={self.field:g}, periodic={self.periodic})"
        )

    def check_state(self, name: str, state: Any) -> np.ndarray:
        """`state` as spins of shape (rows, cols) or (n_chains, rows, cols)."""
        if np.ndim(state) == 3:
            return check_spins(name, state, ndim=3, shape=(None, self.rows, self.cols))
        return check_spins(name, state, ndim=2, shape=(self.rows, self.cols))

    def random_state(self, rng: np.random.Generator, dtype: type = np.float32) -> np.ndarray:
        """Spins by the toss of a coin, shape (rows, cols): infinite temperature."""
        bits = check_generator(rng).integers(0, 2, (self.rows, self.cols))
        return (2 * bits - 1).astype(dtype)

    def _shifted(self, state: np.ndarray, step: int, axis: int) -> np.ndarray:
        """Each site's neighbour `step` sites further along `axis`; 0 beyond an open border."""
        shifted = np.roll(state, -step, axis=axis)
        if not self.periodic:
            border = [slice(None)] * state.ndim
            border[axis] = -1 if step == 1 else 0
            shifted[tuple(border)] = 0
        return shifted

    def energy(self, state: Any) -> np.ndarray | float:
        """E(s) = −coupling Σ_bonds sᵢsⱼ − field Σᵢ sᵢ: one number a grid."""
        s = self.check_state("state", state)
        bonds = s * (self._shifted(s, 1, -1) + self._shifted(s, 1, -2))
        return -(self.coupling * bonds + self.field * s).sum(axis=(-2, -1))

    def gibbs_step(
        self,
        state: Any,
        rng: np.random.Generator,
        *,
        beta: float = 1.0,
        clamped: np.ndarray | None = None,
    ) -> np.ndarray:
        """One sweep: all black sites given the white ones, then all white ones.

        Parameters
        ----------
        state : array of shape (rows, cols) or (n_chains, rows, cols)
        beta : inverse temperature
        clamped : bool array of shape (rows, cols) or that of state, optional
            sites that keep their spin

        Returns
        -------
        ndarray, a new state
        """
        s = self.check_state("state", state)
        twice_beta = s.dtype.type(2 * beta)
        check_generator(rng)
        for colour in (self.black, ~self.black):
            # p(sᵢ = +1 | neighbours) = σ(2β (coupling Σ neighbours + field))
            neighbours = sum(self._shifted(s, step, axis) for step in (1, -1) for axis in (-2, -1))
            p = sigmoid(twice_beta * (self.coupling * neighbours + self.field))
            drawn = np.where(rng.random(s.shape, dtype=s.dtype) < p, s.dtype.type(1), -1)
            free = colour if clamped is None else colour & ~np.asarray(clamped, dtype=bool)
            s = np.where(free, drawn, s)
        return s

    def machine(self) -> BoltzmannMachine:
        """The same model as a Boltzmann machine over bits; see `ising_grid`."""
        return ising_grid(
            self.rows,
            self.cols,
            coupling=self.coupling,
            field=self.field,
            periodic=self.periodic,
        )
