"""Filling in what is missing: the unknown units of a row, given the known ones.

A generative model answers it by Bayes' rule: the completions of a row are distributed as

    p(v_unknown | v_known) = p(v) / Σ p(v), the sum over all v that agree with the known units

Of an RBM, Gibbs sampling with the known units clamped draws from just that. What is returned is
not one draw but the mean: the average of E[v_unknown | h] over the last steps of the chain, which
has the least squared error of all answers.

Of a DBN there is no such chain, as its posterior p(h | v) cannot be drawn from layer by layer. Here
a round goes up by draws from the recognition pass q(h | v), takes a Gibbs step in the top RBM, and
comes down by draws; then the known units are put back. It is an approximation, for two reasons.
q is not the posterior: on its way up it ignores what the layers above make of each layer. And the
step in the top RBM, by which they have their say at all, forgets a part of what the known units
said. In small DBNs trained on bars and stripes, whose true conditional means can be enumerated, the
squared distance to these is a third of what it is for the mean image, where a third of the image
is missing.

Source: Hinton, Osindero, Teh (2006), for the passes up and down.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dbnlib.checks import check_count, check_generator, check_mask
from dbnlib.dbn import DBN
from dbnlib.groups import Groups
from dbnlib.labels import check_labels, draw_labels, with_labels
from dbnlib.rbm import RBM
from dbnlib.sampling import run_chain
from dbnlib.units import Softmax


def complete(
    model: RBM | DBN,
    v: Any,
    known: Any,
    rng: np.random.Generator,
    *,
    n_steps: int = 100,
    n_average: int = 50,
    top_steps: int = 1,
    labels: Any = None,
) -> np.ndarray:
    """v with its unknown entries replaced by estimates of E[v_unknown | v_known].

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
        what stands in an unknown entry plays no part: it may be anything, NaN for example
    known : booleans of shape (n_visible,), for all rows, or (n_examples, n_visible)
    n_steps : Gibbs steps of an RBM, or rounds of a DBN
    n_average : so many of them, the last ones, are averaged
    top_steps : Gibbs steps in the top RBM of a DBN, in each round. With 0 it has no say, nor has a
        label; with many the known units are forgotten on the way
    labels : class numbers of shape (n_examples,), optional
        of a DBN with a label unit: what the label is known to be. Otherwise it is left open. In an
        RBM the label is a part of v

    Where the known values are grey, which are means of states, means are handed on from step to
    step in the place of draws: what is filled in must be of the kind that the model learned from.

    Returns
    -------
    ndarray of shape (n_examples, n_visible)
        the known entries as they were, means in place of the others

    Raises
    ------
    TypeError, ValueError
        for a mask that is not boolean or of another shape, a label unit that is known in part
    """
    if not isinstance(model, RBM | DBN):
        raise TypeError(f"model must be an RBM or a DBN, got {model!r}")
    dbn = model if isinstance(model, DBN) else DBN([model])
    check_generator(rng)
    n_steps, n_average = check_count("n_steps", n_steps), check_count("n_average", n_average)
    if n_average > n_steps:
        raise ValueError(f"n_average is {n_average}, but there are only n_steps={n_steps}")
    check_count("top_steps", top_steps, 0)
    bottom = dbn.rbms[0]
    v, known = _filled(bottom, v, known, rng)
    if labels is not None:
        if not dbn.n_labels:
            raise ValueError(f"labels were given, but {model!r} has no label unit beside a layer")
        labels = check_labels("labels", labels, dbn.n_labels, len(v))
    given, total = v, np.zeros(v.shape)
    drawn = bottom.visible.are_states(given)
    for step in range(n_steps):
        x = _field(dbn, v, labels, top_steps, rng)
        mean = bottom.visible.mean(x)
        if step >= n_steps - n_average:
            total += mean
        v = np.where(known, given, bottom.visible.draw(x, mean, rng) if drawn else mean)
    return np.where(known, given, (total / n_average).astype(bottom.dtype))


def _field(
    dbn: DBN, v: np.ndarray, labels: np.ndarray | None, top_steps: int, rng: np.random.Generator
) -> np.ndarray:
    """The field of the visible units, after one draw of all hidden layers that v leads to."""
    bottom, top = dbn.rbms[0], dbn.top
    if dbn.n_layers == 1:
        return bottom.visible_field(bottom.hidden.sample(bottom.hidden_field(v), rng))
    h = dbn.up(v, depth=dbn.n_layers - 1, rng=rng)[-1]
    width, clamped = h.shape[1], None
    if dbn.n_labels:
        h = with_labels(top, h, draw_labels(top, h, rng) if labels is None else labels)
        clamped = None if labels is None else np.arange(top.n_visible) >= width
    h = run_chain(top, h, top_steps, rng, clamped=clamped)[:, :width]
    for rbm in reversed(dbn.rbms[1:-1]):
        h = rbm.visible.sample(rbm.visible_field(h), rng)
    return bottom.visible_field(h)


def _filled(
    rbm: RBM, v: Any, known: Any, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """v with draws from the visible biases alone in the unknown entries, and the full mask."""
    try:
        array = np.asarray(v)
    except ValueError:  # rows of different lengths; the check says so
        array = np.empty(0)
    if array.ndim != 2 or array.shape[1] != rbm.n_visible:
        rbm.check_visible("v", v)
    known = check_mask("known", known, array.shape)
    if isinstance(rbm.visible, Groups):
        for units, part in rbm.visible.parts(known):
            if isinstance(units, Softmax) and (part != part[:, :1]).any():
                raise ValueError(f"known: a {units!r} is one unit; its columns go together")
    start = rbm.visible.sample(np.tile(rbm.b, (len(array), 1)), rng)
    return rbm.check_visible("v", np.where(known, array, start)), known
