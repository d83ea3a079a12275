"""Layers side by side, layers by name, and layers as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from dbnlib.units import Bernoulli, Gaussian, ReLU, Softmax, Units


class Groups(Units):
    """Layers side by side, such as `Groups([Bernoulli(784), Softmax(10)])`: pixels and a label.

    Of groups among the members, the members are taken.
    """

    name = "groups"

    def __init__(self, members: Sequence[Units]):
        self.members = list(members)
        if not self.members or not all(isinstance(member, Units) for member in self.members):
            raise TypeError(f"Groups takes a list of layers of units, got {members!r}")
        nested = [m.members if isinstance(m, Groups) else [m] for m in self.members]
        self.members = list(chain.from_iterable(nested))
        super().__init__(sum(member.n for member in self.members))
        self.low = min(member.low for member in self.members)
        self.high = max(member.high for member in self.members)
        ends = np.cumsum([member.n for member in self.members])
        self.slices = [
            slice(end - member.n, end) for member, end in zip(self.members, ends, strict=True)
        ]

    def __repr__(self) -> str:
        return f"Groups({self.members!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Groups) and self.members == other.members

    __hash__ = None

    def parts(self, array: np.ndarray) -> list[tuple[Units, np.ndarray]]:
        """Each member with its columns of `array` (views)."""
        return [
            (member, array[:, columns])
            for member, columns in zip(self.members, self.slices, strict=True)
        ]

    @property
    def n_states(self) -> int:
        """The product of the members' numbers of states."""
        product = 1
        for member in self.members:
            product *= member.n_states
        return product

    def numbered(self, numbers: np.ndarray, dtype: type = np.float64) -> np.ndarray:
        """Every combination, the last member's states running fastest."""
        columns = []
        for member in reversed(self.members):
            numbers, own = np.divmod(numbers, member.n_states)
            columns.append(member.numbered(own, dtype))
        return np.hstack(columns[::-1])

    def check(self, name: str, states: np.ndarray) -> None:
        """Each member checks its own columns."""
        for member, part in self.parts(states):
            member.check(f"{name} ({member!r} columns)", part)

    def are_states(self, array: np.ndarray) -> bool:
        """Whether each member's columns are states."""
        return all(member.are_states(part) for member, part in self.parts(array))

    def rest_energy(self, states: np.ndarray) -> np.ndarray | float:
        """Sum of the members' rest energies."""
        return sum(member.rest_energy(part) for member, part in self.parts(states))

    def log_normaliser(self, field: np.ndarray) -> np.ndarray:
        """Sum of the members' log-normalisers."""
        return sum(member.log_normaliser(part) for member, part in self.parts(field))

    def mean(self, field: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """The members' means side by side."""
        if out is None:
            out = np.empty_like(field)
        for (member, part), (_, target) in zip(self.parts(field), self.parts(out), strict=True):
            target[...] = member.mean(part)
        return out

    def draw(
        self,
        field: np.ndarray,
        mean: np.ndarray,
        rng: np.random.Generator,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """The members' draws side by side."""
        if out is None:
            out = np.empty_like(mean)
        for columns, member in zip(self.slices, self.members, strict=True):
            out[:, columns] = member.draw(field[:, columns], mean[:, columns], rng)
        return out

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """The members' biases side by side."""
        return np.concatenate(
            [
                member.bias_for(mean[columns])
                for member, columns in zip(self.members, self.slices, strict=True)
            ]
        )


KINDS: dict[str, type[Units]] = {kind.name: kind for kind in (Bernoulli, Gaussian, Softmax, ReLU)}


def make_units(kind: str | Units, n: int) -> Units:
    """A layer of `n` units from its name ('bernoulli', 'gaussian', 'softmax', 'relu').

    A layer that is already made passes through, if it has n units.
    """
    if isinstance(kind, Units):
        if kind.n != n:
            raise ValueError(f"the layer {kind!r} has {kind.n} units, but the weights want {n}")
        return kind
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"units must be one of {', '.join(KINDS)} or a layer, got {kind!r}")
    return KINDS[kind](n)


def describe(units: Units) -> list[tuple[str, int]]:
    """A layer as plain data, such as [('bernoulli', 784), ('softmax', 10)], for storage."""
    if isinstance(units, Groups):
        return [entry for member in units.members for entry in describe(member)]
    return [(units.name, units.n)]


def from_description(description: Sequence[tuple[str, int]]) -> Units:
    """The layer that `describe` described."""
    members = [make_units(kind, n) for kind, n in description]
    return members[0] if len(members) == 1 else Groups(members)
