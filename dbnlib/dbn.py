"""The deep belief network as a model: a stack of RBMs, read as a generative model.

    p(v, h¹, …, hᴸ) = p(v | h¹) p(h¹ | h²) … p(hᴸ⁻¹, hᴸ)

The top two layers are an RBM; its arrows have no direction. Below it everything points down: each
RBM of the stack lends its p(v | h), while its own p(h) is replaced by what the layers above make
of h. The way up, q(h¹ | v) q(h² | h¹) …, is not part of the model but a guess at its posterior.
It starts out with the same weights, and may have weights of its own.

The top RBM may have a label beside the layer that it shares with the machine below:

    p(v, y, h¹, …, hᴸ) = p(v | h¹) … p(hᴸ⁻² | hᴸ⁻¹) p(hᴸ⁻¹, y, hᴸ)

Then the network classifies, and draws examples of a class that one asks for (`dbnlib.labels`).

Source: Hinton, Osindero, Teh (2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np

from dbnlib.checks import check_choice, check_count, check_generator
from dbnlib.labels import (
    draw_labels,
    hidden_mean_without_label,
    label_probabilities,
    split_units,
    with_labels,
)
from dbnlib.rbm import RBM
from dbnlib.sampling import run_chain
from dbnlib.storage import pack, storable, unpack


@storable("dbn")
class DBN:
    """A deep belief network with given RBMs.

    Parameters
    ----------
    rbms : list of RBM, bottom first
        each one's hidden layer is the next one's visible layer; the last is the top RBM, which may
        have a label besides: its visible layer is then `Groups([layer below, Softmax(n_labels)])`
    recognition : list of RBM, optional
        for each RBM below the top, the machine whose p(h | v) leads upward; the same ones as
        `rbms` if not given, so that both directions share their weights

    Raises
    ------
    ValueError
        where two layers that meet differ in units or width
    """

    def __init__(self, rbms: Sequence[RBM], recognition: Sequence[RBM] | None = None):
        if not isinstance(rbms, (list, tuple)) or not rbms:
            raise TypeError(f"a DBN is made of a list of at least one RBM, got {rbms!r}")
        if not all(isinstance(rbm, RBM) for rbm in rbms):
            raise TypeError(f"a DBN is made of RBMs only, got {rbms!r}")
        self.rbms = list(rbms)
        for level, (lower, upper) in enumerate(pairwise(self.rbms), 1):
            below = split_units(upper.visible)[0] if upper is self.top else upper.visible
            if lower.hidden not in (upper.visible, below):
                raise ValueError(
                    f"layer {level} ends in {lower.hidden!r} and layer {level + 1} starts from "
                    f"{upper.visible!r}; they must be the same units (a label beside them may only "
                    "stand in the top RBM)"
                )
        self.recognition = self.rbms[:-1] if recognition is None else list(recognition)
        if not all(isinstance(rbm, RBM) for rbm in self.recognition):
            raise TypeError(f"recognition must hold RBMs only, got {recognition!r}")
        mirrored = [(rbm.visible, rbm.hidden) for rbm in self.rbms[:-1]]
        if [(rbm.visible, rbm.hidden) for rbm in self.recognition] != mirrored:
            raise ValueError("recognition must hold one RBM with the same units per lower layer")

    def __repr__(self) -> str:
        layers = [self.rbms[0].visible, *(rbm.hidden for rbm in self.rbms)]
        return f"DBN({' – '.join(map(repr, layers))}, dtype={self.dtype})"

    @property
    def top(self) -> RBM:
        """The RBM of the top two layers."""
        return self.rbms[-1]

    @property
    def n_layers(self) -> int:
        """Number of hidden layers."""
        return len(self.rbms)

    @property
    def n_visible(self) -> int:
        """Number of visible units."""
        return self.rbms[0].n_visible

    @property
    def n_labels(self) -> int:
        """Number of labels in the top RBM, 0 without a label unit; one RBM alone has none."""
        return self.top.n_visible - self.rbms[-2].n_hidden if self.n_layers > 1 else 0

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self.rbms[0].dtype

    @property
    def tied(self) -> bool:
        """Whether the way up and the way down share their weights."""
        return all(up is down for up, down in zip(self.recognition, self.rbms, strict=False))

    def untied(self) -> Self:
        """A copy whose ways up and down have weights of their own, equal for now."""
        return type(self)([rbm.copy() for rbm in self.rbms], [r.copy() for r in self.recognition])

    def _depth(self, depth: int | None) -> int:
        depth = self.n_layers if depth is None else check_count("depth", depth, 0)
        if depth > self.n_layers:
            raise ValueError(f"depth is {depth}, but there are {self.n_layers} hidden layers")
        return depth

    # ---- up and down

    def up(
        self,
        v: Any,
        *,
        depth: int | None = None,
        rng: np.random.Generator | None = None,
        labels: Any = None,
    ) -> list[np.ndarray]:
        """The recognition pass: [h¹, …, h^depth], each from the one below.

        Parameters
        ----------
        v : array of shape (n_examples, n_visible)
        depth : how many layers to climb, all by default
        rng : with a generator each layer is drawn, hˡ ~ q(hˡ | hˡ⁻¹); without one it is the mean,
            and means are what the next layer sees
        labels : class numbers of shape (n_examples,), optional
            what the label unit of the top RBM shows; where they are not given, the label is left
            open, with the probabilities that the top RBM gives it

        Returns
        -------
        list of ndarrays of shape (n_examples, width of the layer)
        """
        h = self.rbms[0].check_visible("v", v)
        depth = self._depth(depth)
        if rng is not None:
            check_generator(rng)
        self._check_has_label(labels)
        layers = []
        for rbm in [*self.recognition, self.top][:depth]:
            if rbm is self.top and self.n_labels:
                if labels is None and rng is None:
                    layers.append(hidden_mean_without_label(rbm, h))
                    break
                h = self._beside_label(h, labels, rng)
            x = rbm.hidden_field(h)
            h = rbm.hidden.mean(x) if rng is None else rbm.hidden.sample(x, rng)
            layers.append(h)
        return layers

    def _check_has_label(self, labels: Any) -> None:
        if labels is not None and not self.n_labels:
            raise ValueError(f"labels were given, but {self!r} has no label unit")

    def _beside_label(
        self, u: np.ndarray, labels: Any, rng: np.random.Generator | None
    ) -> np.ndarray:
        """The top RBM's visible rows: u with the labels given, or drawn from p(y | u)."""
        self._check_has_label(labels)
        if not self.n_labels:
            return u
        return with_labels(self.top, u, draw_labels(self.top, u, rng) if labels is None else labels)

    def _without_label(self, u: np.ndarray) -> np.ndarray:
        """The columns of the top RBM's visible rows that belong to the layer below."""
        return u[:, : self.rbms[-2].n_hidden] if self.n_labels else u

    def down(
        self,
        h: Any,
        *,
        depth: int | None = None,
        rng: np.random.Generator | None = None,
        pixels: str = "mean",
    ) -> np.ndarray:
        """The generative pass: from layer `depth` down to the visible units.

        Parameters
        ----------
        h : array of shape (n_examples, width of layer `depth`)
        depth : where h lies; the top layer by default
        rng : with a generator each layer between is drawn; without one means are handed on
        pixels : 'mean' (default) or 'sample', for the visible layer itself; 'sample' needs `rng`

        Returns
        -------
        ndarray of shape (n_examples, n_visible)
        """
        depth = self._depth(depth)
        check_choice("pixels", pixels, ("mean", "sample"))
        if pixels == "sample" and rng is None:
            raise ValueError("pixels='sample' needs a generator: pass rng=...")
        if rng is not None:
            check_generator(rng)
        if depth == 0:
            return np.array(self.rbms[0].check_visible("h", h))
        h = self.rbms[depth - 1].check_hidden("h", h)
        for level in range(depth - 1, -1, -1):
            rbm = self.rbms[level]
            x = rbm.visible_field(h)
            drawn = rng is not None and (level > 0 or pixels == "sample")
            h = rbm.visible.sample(x, rng) if drawn else rbm.visible.mean(x)
            h = self._without_label(h) if rbm is self.top else h
        return h

    def reconstruct(
        self,
        v: Any,
        *,
        depth: int | None = None,
        rng: np.random.Generator | None = None,
        top_steps: int = 0,
    ) -> np.ndarray:
        """Up to layer `depth` and down again: means, or draws at each hidden layer with `rng`.

        With `top_steps` the pass goes all the way up, runs that many Gibbs steps in the top RBM,
        and then descends; this wants `rng`, and no `depth`.

        Returns
        -------
        ndarray of shape (n_examples, n_visible): means of the visible units
        """
        if not check_count("top_steps", top_steps, 0):
            depth = self._depth(depth)
            return self.down([v, *self.up(v, depth=depth, rng=rng)][depth], depth=depth, rng=rng)
        if depth is not None or rng is None:
            raise ValueError("top_steps wants rng=..., and goes through all layers: drop depth")
        u = self.top_rows(v, rng)
        u = self._without_label(run_chain(self.top, u, top_steps, rng))
        return self.down(u, depth=self.n_layers - 1, rng=rng) if self.n_layers > 1 else u

    def _below_top(self, name: str, v: Any, rng: np.random.Generator | None) -> np.ndarray:
        """v carried up to the layer below the top, v itself in a single RBM."""
        v = self.rbms[0].check_visible(name, v)
        return [v, *self.up(v, depth=self.n_layers - 1, rng=rng)][-1]

    def top_rows(self, v: Any, rng: np.random.Generator, *, labels: Any = None) -> np.ndarray:
        """What the top RBM sees of v: draws of the layer below it, and the label beside them.

        Parameters
        ----------
        v : array of shape (n_examples, n_visible)
        labels : class numbers of shape (n_examples,); drawn from p(y | hᴸ⁻¹) where not given

        Returns
        -------
        ndarray of shape (n_examples, top.n_visible); v itself in a single RBM
        """
        check_generator(rng)
        return self._beside_label(self._below_top("v", v, rng), labels, rng)

    # ---- labels

    def label_probabilities(self, v: Any) -> np.ndarray:
        """p(y | hᴸ⁻¹) for every label, with hᴸ⁻¹ the means that the way up arrives at.

        It is classification by the free energies of the top RBM, `dbnlib.labels`.

        Parameters
        ----------
        v : array of shape (n_examples, n_visible)

        Returns
        -------
        ndarray of shape (n_examples, n_labels), float64

        Raises
        ------
        ValueError
            where there is no label unit

        Source: Hinton, Osindero, Teh (2006), section 6.1.
        """
        return label_probabilities(self.top, self._below_top("v", v, None))

    # ---- draws

    def sample(
        self,
        n_samples: int,
        rng: np.random.Generator,
        *,
        labels: Any = None,
        n_steps: int = 1000,
        start: Any = None,
        pixels: str = "mean",
        progress: bool | None = False,
    ) -> np.ndarray:
        """Draws from the model: a Gibbs chain in the top RBM, then one pass down.

        Parameters
        ----------
        labels : class numbers of shape (n_samples,), optional
            the label unit of each chain is clamped to them: draws from p(v | y)
        n_steps : Gibbs steps of each chain; the more, the less the start matters
        start : array of shape (n_samples, n_visible), optional
            rows that are carried up for the chains to start from; otherwise the chains start from
            the top RBM's visible biases
        pixels : 'mean' for the mean of the visible units given the layer above (smooth pictures),
            'sample' for states

        Returns
        -------
        ndarray of shape (n_samples, n_visible)

        Source: Hinton, Osindero, Teh (2006), "Looking into the Mind of a Neural Network".
        """
        n_samples = check_count("n_samples", n_samples)
        check_generator(rng)
        check_choice("pixels", pixels, ("mean", "sample"))
        if start is None:
            u = self.top.visible.sample(np.tile(self.top.b, (n_samples, 1)), rng)
            u = self._without_label(u)
        else:
            u = self._below_top("start", start, rng)
            if len(u) != n_samples:
                raise ValueError(f"start has {len(u)} rows, but n_samples is {n_samples}")
        u = self._beside_label(u, labels, rng)
        clamped = None
        if labels is not None:
            clamped = np.arange(self.top.n_visible) >= self.top.n_visible - self.n_labels
        # the last step of the chain ends in h; what is shown comes from its field
        n_steps = check_count("n_steps", n_steps, 0)
        u = run_chain(self.top, u, n_steps, rng, clamped=clamped, progress=progress)
        h = self.top.sample_hidden(u, rng)
        return self.down(h, rng=rng, pixels=pixels)

    # ---- copies and files

    def to_storage(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Settings and arrays for `dbnlib.storage`."""
        arrays: dict[str, np.ndarray] = {}
        recognition = None if self.tied else self.recognition
        return pack({"rbms": self.rbms, "recognition": recognition}, arrays), arrays

    @classmethod
    def from_storage(cls, config: dict, arrays: dict[str, np.ndarray]) -> Self:
        """The network that `to_storage` took apart."""
        return cls(**unpack(config, arrays))
