"""The gradient of an RBM's log-likelihood, and the ways to estimate its negative phase.

For the mean log-likelihood of the data rows,

    ∂/∂W = ⟨vh'⟩_data − ⟨vh'⟩_model
    ∂/∂b = ⟨v⟩_data − ⟨v⟩_model
    ∂/∂c = ⟨h⟩_data − ⟨h⟩_model

The positive phase ⟨·⟩_data is easy: h enters by its mean given the data. The negative phase
⟨·⟩_model is a sum over all states. One class each says what to put in its place:

- `ExactGradient`: the sum itself, for small machines;
- `CD(k)`: k Gibbs steps from the data;
- `PCD(k)`: k further Gibbs steps of chains that live as long as the training.

Sources: Hinton (2002); Tieleman (2008); Fischer and Igel (2012).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dbnlib.checks import check_count
from dbnlib.exact import model_moments
from dbnlib.rbm import RBM


class Gradient(NamedTuple):
    """The gradient by W, b and c, and the means of v and h in the positive phase.

    The arrays are buffers: the next call overwrites them.
    """

    W: np.ndarray
    b: np.ndarray
    c: np.ndarray
    v_data: np.ndarray
    h_data: np.ndarray


class GradientEstimator:
    """A way to get the gradient: `start` once, then `gradient` for each minibatch."""

    def start(self, rbm: RBM, batch_size: int, rng: np.random.Generator) -> None:
        """Make what lives as long as the training: buffers, chains."""

    def memory(self) -> dict[str, np.ndarray]:
        """Arrays that a checkpoint must keep."""
        return {}

    def fantasies(self) -> np.ndarray:
        """The visible states in which the last negative phase ended: (n_chains, n_visible).

        Raises TypeError where the negative phase has no chains.
        """
        raise TypeError(f"{self!r} runs no chains; use CD(k), PCD(k) or PT(k)")

    def _started(self, attribute: str) -> Any:
        """An attribute that `start` or the first gradient makes; RuntimeError before that."""
        if not hasattr(self, attribute):
            raise RuntimeError(
                f"{self!r} has not been started: call start(rbm, batch_size, rng) first, and "
                "gradient(rbm, v, rng) before fantasies()"
            )
        return getattr(self, attribute)

    def gradient(
        self, rbm: RBM, v: np.ndarray, rng: np.random.Generator, *, scale: float = 1.0
    ) -> Gradient:
        """`scale` times the gradient of the mean log-likelihood of the rows of v.

        v : array of shape (n_examples, n_visible), taken as it is, unchecked
        scale : usually the learning rate; multiplying the few rows is cheaper than the gradient
        """
        raise NotImplementedError


class ExactGradient(GradientEstimator):
    """The gradient itself, with the model's moments by enumeration (`dbnlib.exact`)."""

    def __repr__(self) -> str:
        return "ExactGradient()"

    def gradient(
        self, rbm: RBM, v: np.ndarray, rng: np.random.Generator, *, scale: float = 1.0
    ) -> Gradient:
        """See `GradientEstimator.gradient`; `rng` is not used."""
        h = rbm.hidden.mean(rbm.hidden_field(v))
        v_data, h_data = v.mean(axis=0), h.mean(axis=0)
        model = model_moments(rbm)
        # ⟨vh'⟩_data − ⟨vh'⟩_model, and likewise for v and h
        W = scale * (v.T @ h / len(v) - model.vh)
        b = scale * (v_data - model.v)
        c = scale * (h_data - model.h)
        return Gradient(W, b, c, v_data, h_data)


class CD(GradientEstimator):
    """Contrastive divergence: the negative phase is where k Gibbs steps from the data lead.

    CD is not the gradient of the likelihood, nor of anything; its bias shrinks as k grows.

    Parameters
    ----------
    k : number of Gibbs steps
    sample_visible : bool
        True (default) draws the visible states of the chain, as the model wants it where the data
        are states too. False hands on their means: right for grey pixels, which are means
        themselves. Against grey data, draws of 0 and 1 look more varied than any image, and the
        weights shrink from it (see `cd_for`). Hidden states are always drawn, since a mean would
        carry more than the one bit that a unit has; the last hidden layer always enters by its
        mean, since a draw would only add noise.

    Sources: Hinton (2002); Hinton (2010), sections 2 and 3.
    """

    persistent = False

    def __init__(self, k: int = 1, *, sample_visible: bool = True):
        self.k = check_count("k", k)
        self.sample_visible = bool(sample_visible)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(k={self.k}, sample_visible={self.sample_visible})"

    def start(self, rbm: RBM, batch_size: int, rng: np.random.Generator) -> None:
        """Make the buffers for batches of up to `batch_size` rows."""
        self._make_buffers(rbm, batch_size, batch_size)

    def _make_buffers(self, rbm: RBM, n_data: int, n_chains: int) -> None:
        n, dtype = n_data + n_chains, rbm.dtype
        self._batch_size = n_data
        # Data above, chains below, so that one product serves both phases.
        self._v = np.empty((n, rbm.n_visible), dtype)
        self._p = np.empty((n, rbm.n_hidden), dtype)
        self._h = np.empty((n_chains, rbm.n_hidden), dtype)
        self._visible_field = np.empty((n_chains, rbm.n_visible), dtype)
        self._visible_mean = np.empty((n_chains, rbm.n_visible), dtype)
        self._hidden_field = np.empty((n if self.persistent else n_data, rbm.n_hidden), dtype)
        self._dW = np.empty(rbm.W.shape, dtype)
        self._shares = np.ones(max(n_data, n_chains), dtype)

    def fantasies(self) -> np.ndarray:
        """See `GradientEstimator.fantasies`; means where `sample_visible` is False."""
        return self._started("_fantasies")

    def gradient(
        self, rbm: RBM, v: np.ndarray, rng: np.random.Generator, *, scale: float = 1.0
    ) -> Gradient:
        """See `GradientEstimator.gradient`."""
        n_data = len(v)
        if n_data > self._started("_batch_size"):
            raise ValueError(
                f"v has {n_data} rows, but start was called for batches of up to "
                f"{self._batch_size}; call start(rbm, {n_data}, rng)"
            )
        n_chains = len(self._h) if self.persistent else n_data
        v_both, p_both = self._v[: n_data + n_chains], self._p[: n_data + n_chains]
        v0, v1 = v_both[:n_data], v_both[n_data:]
        self._fantasies = v1
        p0, p1 = p_both[:n_data], p_both[n_data:]
        h = self._h[:n_chains]

        v0[...] = v
        if not self.persistent:
            # positive phase: p0 = E[h | v0]; the chain starts at h ~ p(h | v0)
            x = self._hidden_mean(rbm, v0, out=p0)
            rbm.hidden.draw(x, p0, rng, out=h)
        # negative phase: v1 ~ p(v | h), k times, with h ~ p(h | v1) in between; p1 = E[h | v1]
        self._next_visible(rbm, h, rng, out=v1)
        for _ in range(self.k - 1):
            x = self._hidden_mean(rbm, v1, out=p1)
            rbm.hidden.draw(x, p1, rng, out=h)
            self._next_visible(rbm, h, rng, out=v1)
        if self.persistent:
            # the chains did not wait for the data: p0 and p1 in one product; they go on from h
            x = self._hidden_mean(rbm, v_both, out=p_both)
            rbm.hidden.draw(x[n_data:], p1, rng, out=h)
        else:
            self._hidden_mean(rbm, v1, out=p1)

        # means over rows as products with 1/n, which are three times as fast as `mean(axis=0)`
        of_data, of_chains = self._shares[:n_data] / n_data, self._shares[:n_chains] / n_chains
        v_data, h_data = of_data @ v0, of_data @ p0
        b = scale * (v_data - of_chains @ v1)
        c = scale * (h_data - of_chains @ p1)
        # scale (⟨vh'⟩_data − ⟨vh'⟩_model) = [v0; v1]' [scale/n p0; −scale/m p1]
        p0 *= rbm.dtype.type(scale / n_data)
        p1 *= rbm.dtype.type(-scale / n_chains)
        np.matmul(v_both.T, p_both, out=self._dW)
        return Gradient(self._dW, b, c, v_data, h_data)

    def _hidden_mean(self, rbm: RBM, v: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Put E[h | v] into `out` and return the field c + vW."""
        x = self._hidden_field[: len(v)]
        np.matmul(v, rbm.W, out=x)
        x += rbm.c
        rbm.hidden.mean(x, out=out)
        return x

    def _next_visible(
        self, rbm: RBM, h: np.ndarray, rng: np.random.Generator, out: np.ndarray
    ) -> None:
        """Put a draw from p(v | h), or its mean, into `out`."""
        # x = b + hW'
        x = self._visible_field[: len(h)]
        np.matmul(h, rbm.W.T, out=x)
        x += rbm.b
        if not self.sample_visible:
            rbm.visible.mean(x, out=out)
            return
        mean = rbm.visible.mean(x, out=self._visible_mean[: len(h)])
        rbm.visible.draw(x, mean, rng, out=out)


def cd_for(rbm: RBM, v: np.ndarray, k: int = 1) -> CD:
    """CD-k with draws of the visible units where the rows of v are states, with means elsewhere.

    Grey rows are means of states. The negative phase must then be made of means as well, or the
    two phases differ in the variance of single pixels before they differ in anything learned.
    """
    return CD(k, sample_visible=rbm.visible.are_states(v))


class PCD(CD):
    """Persistent CD: chains of their own go on from one gradient to the next.

    While the weights change slowly, the chains stay near the model's distribution, so that the
    negative phase is less biased than CD's. Too high a rate and the chains fall behind.

    Parameters
    ----------
    k : Gibbs steps of each chain for each gradient
    n_chains : number of chains; as many as a minibatch has rows if not given
    sample_visible : bool
        as in `CD`: True (default) where the data are states, False where they are grey, or the
        weights shrink

    Source: Tieleman (2008); Younes (1989).
    """

    persistent = True

    def __init__(self, k: int = 1, *, n_chains: int | None = None, sample_visible: bool = True):
        super().__init__(k, sample_visible=sample_visible)
        self.n_chains = n_chains if n_chains is None else check_count("n_chains", n_chains)

    def __repr__(self) -> str:
        return f"PCD(k={self.k}, n_chains={self.n_chains}, sample_visible={self.sample_visible})"

    def start(self, rbm: RBM, batch_size: int, rng: np.random.Generator) -> None:
        """Make the buffers, and start the chains from the visible biases alone."""
        n_chains = self.n_chains or batch_size
        self._make_buffers(rbm, batch_size, n_chains)
        v = rbm.visible.sample(np.tile(rbm.b, (n_chains, 1)), rng)
        self._h[...] = rbm.hidden.sample(rbm.hidden_field(v), rng)

    def memory(self) -> dict[str, np.ndarray]:
        """The chains' hidden states."""
        return {"chains": self._h}


def centred_gradient(gradient: Gradient, v_offset: np.ndarray, h_offset: np.ndarray) -> Gradient:
    """The gradient of the centred machine, v − μ and h − λ in place of v and h, seen from here.

        W° = W − μ c' − b λ'        b° = b − W° λ        c° = c − W°' μ

    where W, b, c on the right are the plain gradients. It is the same for an image and for its
    negative, which the plain one is not. W is changed in place.

    μ and λ are running means of v and h under the data. Source: Melchior, Fischer, Wiskott (2016).
    """
    W = gradient.W
    W -= np.outer(v_offset, gradient.c)
    W -= np.outer(gradient.b, h_offset)
    b = gradient.b - W @ h_offset
    c = gradient.c - W.T @ v_offset
    return gradient._replace(b=b, c=c)
