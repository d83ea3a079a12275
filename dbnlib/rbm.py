"""The restricted Boltzmann machine as a model: its parameters, and one method per quantity.

    E(v, h) = −b'v − c'h − v'Wh + r(v) + r(h)        p(v, h) = exp(−E(v, h)) / Z

There are no weights inside a layer. So each layer, given the other, is a layer of independent
units that feel a field: x = c + vW for the hidden ones, x = b + hW' for the visible ones. r is
the layers' own energy, 0 for Bernoulli and Softmax units, ½u² for Gaussian and ReLU (see
`dbnlib.units`).

Sources: Smolensky (1986); Fischer and Igel (2012); Hinton (2010).
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from dbnlib.checks import (
    as_dtype,
    check_array,
    check_count,
    check_dtype,
    check_generator,
    check_real,
)
from dbnlib.groups import describe, from_description, make_units
from dbnlib.storage import storable
from dbnlib.units import Units


@storable("rbm")
class RBM:
    """A restricted Boltzmann machine with given parameters.

    Parameters
    ----------
    W : array of shape (n_visible, n_hidden)
        weights; their dtype (float32 or float64) is the dtype of everything that comes out
    b : array of shape (n_visible,), optional
        visible biases, zero if not given
    c : array of shape (n_hidden,), optional
        hidden biases, zero if not given
    visible, hidden : str or Units
        what the layers are: 'bernoulli' (default), 'gaussian', 'softmax', 'relu', or a layer
        such as `Groups([Bernoulli(784), Softmax(10)])`

    Examples
    --------
    >>> rbm = RBM([[1.0, -1.0], [2.0, 0.0]], b=[0.0, -1.0])
    >>> rbm.energy([[1, 1]], [[1, 0]])
    array([-2.])
    """

    def __init__(
        self,
        W: Any,
        b: Any = None,
        c: Any = None,
        *,
        visible: str | Units = "bernoulli",
        hidden: str | Units = "bernoulli",
    ):
        self.W = np.array(check_array("W", W, ndim=2), order="C")
        n_visible, n_hidden = self.W.shape
        b = np.zeros(n_visible) if b is None else check_array("b", b, ndim=1, shape=(n_visible,))
        c = np.zeros(n_hidden) if c is None else check_array("c", c, ndim=1, shape=(n_hidden,))
        self.b = np.array(as_dtype("b", b, self.W.dtype))
        self.c = np.array(as_dtype("c", c, self.W.dtype))
        self.visible = make_units(visible, n_visible)
        self.hidden = make_units(hidden, n_hidden)

    @classmethod
    def random(
        cls,
        n_visible: int,
        n_hidden: int,
        rng: np.random.Generator,
        *,
        scale: float = 0.01,
        data: Any = None,
        visible: str | Units = "bernoulli",
        hidden: str | Units = "bernoulli",
        dtype: type = np.float32,
    ) -> Self:
        """A machine before training: small normal weights, and b that fits the data's means.

        Parameters
        ----------
        scale : standard deviation of the weights
        data : array of shape (n_examples, n_visible), optional
            if given, b is the bias with which the visible layer alone has the data's means

        Source: Hinton (2010), section 8.
        """
        n_visible = check_count("n_visible", n_visible)
        n_hidden = check_count("n_hidden", n_hidden)
        scale = check_real("scale", scale, 0)
        W = scale * check_generator(rng).standard_normal((n_visible, n_hidden))
        rbm = cls(W.astype(check_dtype(dtype)), visible=visible, hidden=hidden)
        if data is not None:
            data = rbm.check_visible("data", data)
            rbm.b[:] = rbm.visible.bias_for(data.mean(axis=0, dtype=np.float64))
        return rbm

    def __repr__(self) -> str:
        return f"RBM(visible={self.visible!r}, hidden={self.hidden!r}, dtype={self.dtype})"

    @property
    def n_visible(self) -> int:
        """Number of visible units."""
        return self.W.shape[0]

    @property
    def n_hidden(self) -> int:
        """Number of hidden units."""
        return self.W.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64, that of W."""
        return self.W.dtype

    def check_visible(self, name: str, v: Any) -> np.ndarray:
        """`v` as an array of visible states (or means of them), in the machine's dtype."""
        return self._check(name, v, self.visible)

    def check_hidden(self, name: str, h: Any) -> np.ndarray:
        """`h` as an array of hidden states (or means of them), in the machine's dtype."""
        return self._check(name, h, self.hidden)

    def check_visible_states(self, name: str, v: Any) -> np.ndarray:
        """`v` as an array of visible states; means of states are refused, as they have no p(v)."""
        v = self.check_visible(name, v)
        if not self.visible.are_states(v):
            raise ValueError(
                f"{name} holds values between the states of {self.visible!r}, which have an energy "
                "but no probability; binarise them first (dbnlib.data.binarise)"
            )
        return v

    def _check(self, name: str, states: Any, units: Units) -> np.ndarray:
        states = check_array(name, states, ndim=2, shape=(None, units.n))
        units.check(name, states)
        return as_dtype(name, states, self.dtype)

    # ---- energies

    def energy(self, v: Any, h: Any) -> np.ndarray:
        """E(v, h) = −b'v − c'h − v'Wh + r(v) + r(h).

        Parameters
        ----------
        v : array of shape (n_examples, n_visible)
        h : array of shape (n_examples, n_hidden)

        Returns
        -------
        ndarray of shape (n_examples,), in nats

        Source: Fischer and Igel (2012), eq. 18, for binary units.
        """
        v, h = self.check_visible("v", v), self.check_hidden("h", h)
        if len(v) != len(h):
            raise ValueError(f"v has {len(v)} rows and h has {len(h)}; they must be pairs")
        bilinear = np.einsum("ni,ni->n", v, h @ self.W.T)
        rest = self.visible.rest_energy(v) + self.hidden.rest_energy(h)
        return -v @ self.b - h @ self.c - bilinear + rest

    def free_energy(self, v: Any) -> np.ndarray:
        """F(v) = −b'v + r(v) − A(c + vW), so that p(v) = exp(−F(v)) / Z.

        A is the hidden layer's log-normaliser; for Bernoulli units Σⱼ log(1 + exp(cⱼ + (vW)ⱼ)).

        Parameters
        ----------
        v : array of shape (n_examples, n_visible)

        Returns
        -------
        ndarray of shape (n_examples,), in nats

        Source: Fischer and Igel (2012), eq. 20; Hinton (2010), section 16.1.
        """
        v = self.check_visible("v", v)
        hidden_part = self.hidden.log_normaliser(self.hidden_field(v))
        return -v @ self.b + self.visible.rest_energy(v) - hidden_part

    def free_energy_of_hidden(self, h: Any) -> np.ndarray:
        """G(h) = −c'h + r(h) − A(b + hW'), so that p(h) = exp(−G(h)) / Z; shapes as above."""
        h = self.check_hidden("h", h)
        visible_part = self.visible.log_normaliser(self.visible_field(h))
        return -h @ self.c + self.hidden.rest_energy(h) - visible_part

    # ---- conditionals

    def hidden_field(self, v: np.ndarray) -> np.ndarray:
        """x = c + vW, shape (n_examples, n_hidden). The input is taken as it is, unchecked."""
        return self.c + v @ self.W

    def visible_field(self, h: np.ndarray) -> np.ndarray:
        """x = b + hW', shape (n_examples, n_visible). The input is taken as it is, unchecked."""
        return self.b + h @ self.W.T

    def hidden_mean(self, v: Any) -> np.ndarray:
        """E[h | v]; for Bernoulli units p(hⱼ = 1 | v) = σ(cⱼ + (vW)ⱼ).

        v : (n_examples, n_visible) → (n_examples, n_hidden). Fischer and Igel (2012), eq. 21.
        """
        return self.hidden.mean(self.hidden_field(self.check_visible("v", v)))

    def visible_mean(self, h: Any) -> np.ndarray:
        """E[v | h]; for Bernoulli units p(vᵢ = 1 | h) = σ(bᵢ + (hW')ᵢ).

        h : (n_examples, n_hidden) → (n_examples, n_visible). Fischer and Igel (2012), eq. 22.
        """
        return self.visible.mean(self.visible_field(self.check_hidden("h", h)))

    def sample_hidden(self, v: Any, rng: np.random.Generator) -> np.ndarray:
        """One draw from p(h | v) for each row of v: shape (n_examples, n_hidden)."""
        field = self.hidden_field(self.check_visible("v", v))
        return self.hidden.sample(field, check_generator(rng))

    def sample_visible(self, h: Any, rng: np.random.Generator) -> np.ndarray:
        """One draw from p(v | h) for each row of h: shape (n_examples, n_visible)."""
        field = self.visible_field(self.check_hidden("h", h))
        return self.visible.sample(field, check_generator(rng))

    # ---- chains

    def gibbs_step(
        self,
        v: np.ndarray,
        rng: np.random.Generator,
        *,
        beta: float = 1.0,
        clamped: np.ndarray | None = None,
    ) -> np.ndarray:
        """One step of block Gibbs sampling: h ~ p(h | v), then v ~ p(v | h).

        Parameters
        ----------
        v : array of shape (n_chains, n_visible), taken as it is, unchecked
        beta : inverse temperature; both fields are multiplied by it
        clamped : bool array of shape (n_visible,) or (n_chains, n_visible), optional
            visible units that keep their value

        Returns
        -------
        ndarray of shape (n_chains, n_visible), a new array
        """
        h = self.hidden.sample(self._scaled(self.hidden_field(v), beta), rng)
        drawn = self.visible.sample(self._scaled(self.visible_field(h), beta), rng)
        return drawn if clamped is None else np.where(clamped, v, drawn)

    @staticmethod
    def _scaled(field: np.ndarray, beta: float) -> np.ndarray:
        if beta != 1.0:
            field *= field.dtype.type(beta)
        return field

    def reconstruct(
        self, v: Any, *, k: int = 1, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """E[v' | h] after k passes down and up, starting from v.

        Without `rng` each pass hands on means (the mean-field mirror). With `rng` the hidden
        states, and the visible ones between passes, are drawn; what is returned is always the
        mean of the last visible layer. Shape (n_examples, n_visible).
        """
        v = self.check_visible("v", v)
        if rng is not None:
            check_generator(rng)
        for step in range(check_count("k", k)):
            if step and rng is not None:
                v = self.visible.sample(field, rng)  # noqa: F821  (the field of the last pass)
            x = self.hidden_field(v)
            h = self.hidden.mean(x) if rng is None else self.hidden.sample(x, rng)
            field = self.visible_field(h)
            v = self.visible.mean(field)
        return v

    # ---- copies and files

    def copy(self) -> Self:
        """A machine of its own with equal parameters."""
        return type(self)(self.W, self.b, self.c, visible=self.visible, hidden=self.hidden)

    def transposed(self) -> Self:
        """The same machine upside down: W', biases and layers swapped.

        As the start of a second layer it leaves a DBN's likelihood and bound where they were.
        Source: Hinton, Osindero, Teh (2006), section 4.
        """
        return type(self)(self.W.T, self.c, self.b, visible=self.hidden, hidden=self.visible)

    def to_storage(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Settings and arrays for `dbnlib.storage`."""
        config = {"visible": describe(self.visible), "hidden": describe(self.hidden)}
        return config, {"W": self.W, "b": self.b, "c": self.c}

    @classmethod
    def from_storage(cls, config: dict, arrays: dict[str, np.ndarray]) -> Self:
        """The machine that `to_storage` took apart."""
        return cls(
            arrays["W"],
            arrays["b"],
            arrays["c"],
            visible=from_description(config["visible"]),
            hidden=from_description(config["hidden"]),
        )
