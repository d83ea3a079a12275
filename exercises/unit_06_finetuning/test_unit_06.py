"""What a learner must have understood about fine-tuning, one test a claim."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from dbnlib.dbn import DBN
from dbnlib.finetuning import network_from_dbn
from dbnlib.losses import one_hot
from dbnlib.network import Network
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, Softmax, sigmoid
from exercises.grading import Seed, expect, expect_draws
from exercises.grading.drawing import far_apart, first_good, judge_randomness, numbers
from exercises.grading.feedback import fits
from exercises.grading.student import Answer, Student, as_numbers

Y = np.array([2, 0, 1, 0])
STATES = Bernoulli(3).states(0, 8)
N_DRAWS = 4_000

# Sections of the notebook.
CLASSIFIER = "From a model of images to a classifier"
CHANGES = "What fine-tuning changes"
FEW_LABELS = "Few labels, many images"
DEPTH = "Depth: is the vanishing gradient cured?"
DROPOUT = "Dropout"
ERRORS = "The images behind the errors"

Arrays = tuple[np.ndarray, ...]


# ---- the start


def stack(inputs: np.random.Generator, *sizes: int) -> dict[str, np.ndarray]:
    """Two RBMs with so many units in the data and in their hidden layers."""
    n_v, n_1, n_2 = sizes
    shapes = {"W1": (n_v, n_1), "b1": (n_v,), "c1": (n_1,)}
    shapes |= {"W2": (n_1, n_2), "b2": (n_1,), "c2": (n_2,)}
    return {name: numbers(inputs, *shape) for name, shape in shapes.items()}


def network_of(rbms: dict[str, np.ndarray], n_classes: int) -> Arrays:
    """The library's network."""
    dbn = DBN([RBM(*(rbms[f"{name}{layer}"] for name in "Wbc")) for layer in (1, 2)])
    start = network_from_dbn(dbn, n_classes, np.random.default_rng(0), initialisation="zero")
    return tuple(part for pair in zip(start.weights, start.biases, strict=True) for part in pair)


@pytest.mark.exercise(
    "network_from_stack",
    hints=(
        "Write the way up of the stack beside the forward pass of a network. Which of an RBM's two "
        "biases stands in it?",
        "The first two layers are W1, c1 and W2, c2: the visible biases have no place in it. How "
        "many units lie below the output layer?",
        "return W1, c1, W2, c2, np.zeros((len(c2), n_classes)), np.zeros(n_classes) (the first "
        "four as copies).",
    ),
    see=CLASSIFIER,
)
def test_network_from_stack_computes_the_recognition_pass(student, inputs):
    """Weights and hidden biases as they are, and zeros on top."""
    rbms = stack(inputs, 3, 3, 3)
    W1, b1, c1, W2, b2, c2 = rbms.values()
    top = (np.zeros((3, 4)), np.zeros(4))
    zero = np.zeros(3)
    answer = student.call("network_from_stack", **rbms, n_classes=4)
    value = answer.value if isinstance(answer.value, (tuple, list)) else []
    W3, b3 = map(as_numbers, value[4:]) if len(value) == 6 else (None, None)
    known: dict[str, Any] = {
        "The biases are the visible ones, b. On the way up a layer feels c, the biases of its own "
        "units.": (W1, b1, W2, b2, *top),
        "The biases start from 0 here. Pretraining has learned them: c1 and c2.": (
            (W1, zero, W2, zero, *top)
        ),
        "The first layer has c1 and the second b2, which belong to the same units. The second "
        "layer's own biases are c2.": (W1, c1, W2, b2, *top),
        "Both biases of an RBM are added up. On the way up there is c alone.": (
            (W1, b1 + c1, W2, b2 + c2, *top)
        ),
        "The weights are transposed. The network goes up, as the stack does: v @ W1.": (
            (W1.T, c1, W2.T, c2, *top)
        ),
        "This is the way down. A classifier is the way up.": (W2.T, b2, W1.T, b1, *top),
        "The output layer is missing.": (W1, c1, W2, c2),
        "The biases of the output layer are missing.": (W1, c1, W2, c2, top[0]),
        "The output layer is transposed: W is (units below, units), here (units of the second "
        "layer, classes).": (W1, c1, W2, c2, top[0].T, top[1]),
        "The order of the arrays is another: weights and biases take turns.": (
            (W1, W2, top[0], c1, c2, top[1])
        ),
    }
    if W3 is not None and b3 is not None and (W3.any() or b3.any()):
        not_zero = (W1, c1, W2, c2, W3, b3)
        known["The output layer does not start at zeros, as is asked for here."] = not_zero
    expect(answer, right=network_of(rbms, 4), misconceptions=known)
    # Layers of unequal width show whose units the rows of the output layer are.
    rbms = stack(inputs, 5, 3, 2)
    *below, _, b3 = right = network_of(rbms, 4)
    expect(
        student.call("network_from_stack", **rbms, n_classes=4),
        right=right,
        misconceptions={
            "The output layer has a row for each unit of the layer right below it, the second one: "
            "as many as c2 has entries.": (*below, np.zeros((3, 4)), b3),
        },
    )


SIZES, N_LABELLED = np.array([420, 300, 180]), 300


@pytest.mark.exercise(
    "few_labels",
    points=2,
    hints=(
        "One class after the other: which rows are of it? From these, draw as many as are due, and "
        "no row twice.",
        "np.flatnonzero(y == k) are the rows of class k; rng.choice(rows, m, replace=False) draws "
        "m of them.",
        "labelled = np.concatenate([...one draw for each class...]); "
        "np.setdiff1d(np.arange(len(y)), labelled) are the others.",
    ),
    see=FEW_LABELS,
)
def test_few_labels_draws_as_many_of_each_class(student, inputs):
    """n rows, as many of each class, any row of a class with the same chance; and the rest."""
    y = inputs.permutation(np.repeat([0, 1, 2], SIZES))
    answer = student.call("few_labels", y=y, n=N_LABELLED, rng=Seed(int(inputs.integers(2**31))))
    labelled, rest = two_lists(answer, y)
    judge_rows(answer, y, labelled)
    expected = f"the {len(y) - N_LABELLED} rows that were not drawn"
    if not np.array_equal(np.sort(rest), np.setdiff1d(np.arange(len(y)), labelled)):
        everyone = np.array_equal(np.sort(rest), np.arange(len(y)))
        raise answer.wrong(
            "gives wrong rows in its second part",
            expected=expected,
            misconception="All rows are in the second part. Those that keep their label are to be "
            "left out of it."
            if everyone
            else "",
        )
    if answer.changed:
        expect(answer, right=tuple(answer.value))


def two_lists(answer: Answer, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both parts as arrays of row numbers; StudentError if they are none."""
    kind = f"a tuple of two arrays of row numbers, of shapes {(N_LABELLED,)} and "
    kind += f"{(len(y) - N_LABELLED,)}"
    is_pair = isinstance(answer.value, (tuple, list)) and len(answer.value) == 2
    parts = [as_numbers(part) for part in answer.value] if is_pair else [as_numbers(answer.value)]
    headline = "gives something of the wrong shape"
    if not is_pair:
        alone = parts[0] is not None and parts[0].shape == (N_LABELLED,)
        sentence = "The rows without a label are missing: they come back as the second array."
        raise answer.wrong(headline, expected=kind, misconception=sentence if alone else "")
    if any(part is None for part in parts):
        raise answer.wrong(headline, expected=kind)
    first, second = parts
    if first.shape == (len(y),) and np.isin(first, (0, 1)).all():
        raise answer.wrong(
            headline,
            expected=kind,
            misconception="This is a mask with an entry for each row. The numbers of the rows are "
            "asked for: np.flatnonzero(mask).",
        )
    if first.ndim == 2:
        raise answer.wrong(
            headline,
            expected=kind,
            misconception="The rows of each class stand apart. One array with all of them is asked "
            "for: np.concatenate.",
        )
    if first.shape != (N_LABELLED,) or second.ndim != 1:
        raise answer.wrong(headline, expected=kind)
    return first, second


def judge_rows(answer: Answer, y: np.ndarray, rows: np.ndarray) -> None:
    """StudentError unless the rows are as many of each class, drawn with equal chances."""
    each = N_LABELLED // 3
    expected = f"{N_LABELLED} different row numbers, {each} of each class"

    def wrong(sentence: str = "", details: str = "") -> Exception:
        return answer.wrong(
            "gives wrong rows in its first part",
            expected=expected,
            details=details,
            misconception=sentence,
        )

    if np.array_equal(np.unique(rows), [0, 1, 2]):
        raise wrong("These are classes, not numbers of rows.")
    if not (np.isin(rows, np.arange(len(y)))).all():
        raise wrong(details=f"row numbers go from 0 to {len(y) - 1}")
    rows = rows.astype(int)
    if rows.max() < SIZES[0] and np.bincount(rows).max() <= 3:
        raise wrong(
            "These are places within the rows of a class, not row numbers: they all lie among the "
            "first. Look them up in np.flatnonzero(y == k)."
        )
    counts = np.bincount(y[rows], minlength=3)
    said = f"{', '.join(map(str, counts))} rows of the classes 0, 1, 2"
    if len(np.unique(rows)) < len(rows):
        raise wrong("Some rows come twice. Draw without putting back: replace=False.", said)
    if (counts != each).any():
        share = fits(counts, SIZES / SIZES.sum())
        raise wrong(
            "The classes come as often as they do among all rows. As many of each are asked for: "
            "draw class by class."
            if share
            else "",
            said,
        )
    # In five pieces of each class's rows, from its first to its last, equally many are drawn, up
    # to chance: of all classes together, and of each. Drawing without putting back scatters less
    # than what `fits` allows.
    places = [np.searchsorted(np.flatnonzero(y == k), rows[y[rows] == k]) for k in range(3)]
    pieces = [np.bincount(5 * own // SIZES[k], minlength=5) for k, own in enumerate(places)]
    together = np.sum(pieces, axis=0)
    if not all(fits(counts, np.full(5, 0.2)) for counts in (together, *pieces)):
        first = [(own < each).mean() for own in places]
        last = [(own >= SIZES[k] - each).mean() for k, own in enumerate(places)]
        end = "first" if min(first) > 0.9 else "last" if min(last) > 0.9 else ""
        raise wrong(
            f"Mostly the {end} rows of each class are taken. Every row of a class must have the "
            "same chance: draw them."
            if end
            else "The rows of a class are not drawn one by one: some parts of it come much more "
            "often than others.",
            "\n".join(
                f"of the five fifths of the rows of class {k} come {', '.join(map(str, counts))}"
                for k, counts in enumerate(pieces)
            ),
        )


@pytest.mark.exercise(
    "few_labels", see=FEW_LABELS, after="test_few_labels_draws_as_many_of_each_class"
)
def test_few_labels_draws_from_the_generator_it_is_given(student, inputs):
    """The same generator gives the same draws: all randomness comes from `rng`."""
    y = inputs.permutation(np.repeat([0, 1, 2], [50, 40, 30]))
    judge_randomness(lambda rng: student.call("few_labels", y=y, n=60, rng=rng), (60,), 0, 2)


# ---- depth


def softmax(z: np.ndarray) -> np.ndarray:
    """Of each row."""
    return Softmax(z.shape[1]).mean(z)


def slopes(
    x: np.ndarray,
    y: np.ndarray,
    Ws: list[np.ndarray],
    bs: list[np.ndarray],
    *,
    rule: str = "right",
    transposed: bool = True,
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """∂L/∂W, ∂L/∂b and δ of each layer, with a choice of errors in what is done about σ'."""
    a = [x]
    for W, b in zip(Ws[:-1], bs[:-1], strict=True):
        a.append(sigmoid(a[-1] @ W + b))
    p = softmax(a[-1] @ Ws[-1] + bs[-1])
    delta = (p - one_hot("y", y, p.shape[1])) / len(x)
    if rule == "twice":
        delta = delta * p * (1 - p)
    if rule == "no y":
        delta = p / len(x)
    dW: list[np.ndarray] = []
    db: list[np.ndarray] = []
    deltas: list[np.ndarray] = []
    for layer in reversed(range(len(Ws))):
        own = delta
        if layer < len(Ws) - 1:
            m = a[layer + 1]
            slope = {
                "none": np.ones_like(m),
                "of means": sigmoid(m) * (1 - sigmoid(m)),
                "tanh": 1 - m**2,
                "quarter": np.full_like(m, 0.25),
            }.get(rule, m * (1 - m))
            delta = delta * slope
            own = own if rule == "own" else delta
        dW.insert(0, a[layer].T @ own)
        db.insert(0, own.sum(axis=0))
        deltas.insert(0, own)
        delta = delta @ (Ws[layer].T if transposed else Ws[layer])
    return dW, db, deltas


def known_norms(
    x: np.ndarray, y: np.ndarray, Ws: list[np.ndarray], bs: list[np.ndarray]
) -> dict[str, Any]:
    """What misconceptions about the size of the gradient lead to."""

    def norms(parts: list[np.ndarray]) -> np.ndarray:
        return np.array([np.sqrt((part**2).sum()) for part in parts])

    dW, db, deltas = slopes(x, y, Ws, bs)
    right = norms(dW)
    zeros = [0 * b for b in bs]
    return {
        "σ' is missing in all hidden layers: δ = (δ_above W') ∘ σ'(z).": (
            norms(slopes(x, y, Ws, bs, rule="none")[0])
        ),
        "Each layer's slopes lack its own σ': a'δ is taken before δ has been multiplied by it. "
        "Only the layers below feel it.": norms(slopes(x, y, Ws, bs, rule="own")[0]),
        "σ' is taken of a, which is σ(z) already: σ'(z) = a(1 − a).": (
            norms(slopes(x, y, Ws, bs, rule="of means")[0])
        ),
        "1 − a² is the slope of tanh. That of σ is a(1 − a).": (
            norms(slopes(x, y, Ws, bs, rule="tanh")[0])
        ),
        "σ' is ¼ at most, and only at z = 0. It is a(1 − a).": (
            norms(slopes(x, y, Ws, bs, rule="quarter")[0])
        ),
        "The last layer has a derivative too many. In p − y it has cancelled already.": (
            norms(slopes(x, y, Ws, bs, rule="twice")[0])
        ),
        "The last layer begins with p, not with p − y: the right classes are not used.": (
            norms(slopes(x, y, Ws, bs, rule="no y")[0])
        ),
        "On the way back the weights must be transposed: δ W'. (With layers of the same width, no "
        "error of shapes warns of it.)": norms(slopes(x, y, Ws, bs, transposed=False)[0]),
        "The biases are left out on the way up.": norms(slopes(x, y, Ws, zeros)[0]),
        "These are the slopes of a sum over the rows. L is a mean: divide δ by their number.": (
            len(x) * right
        ),
        "Divided by the number of rows twice: once in δ is enough.": right / len(x),
        "These are the squares of the norms: the root is missing.": right**2,
        "These are roots of means, not of sums, of the squares.": np.array(
            [np.sqrt((part**2).mean()) for part in dW]
        ),
        "These are the largest singular values, np.linalg.norm(·, 2). The root of the sum of "
        "squares is np.linalg.norm(·).": np.array([np.linalg.norm(part, 2) for part in dW]),
        "These are sums of absolute values. The norm is the root of the sum of squares.": np.array(
            [np.abs(part).sum() for part in dW]
        ),
        "These are means of absolute values. The norm is the root of the sum of squares.": np.array(
            [np.abs(part).mean() for part in dW]
        ),
        "These are the norms of δ. What is asked for are those of a_below' δ.": norms(deltas),
        "These are the norms of the slopes in the biases.": norms(db),
        "Weights and biases are taken together. The weights alone are asked for.": np.sqrt(
            right**2 + norms(db) ** 2
        ),
        "These are the norms of the weights, not of the slopes in them.": norms(Ws),
        "The layers come from the top down. The bottom one comes first.": right[::-1],
        "The last layer is missing.": right[:-1],
        "One norm for all layers together: each has its own.": np.sqrt((right**2).sum()),
    }


@pytest.mark.exercise(
    "gradient_norms",
    points=3,
    hints=(
        "Go up and keep every layer's activations. Then go down with δ, and in each layer look at "
        "the gradient before you go on.",
        "∂L/∂W = a_below' δ. One layer down: δ W', times σ' = a(1 − a) of that layer. It begins "
        "with (p − one-hot y) / n.",
        "for l in reversed(range(len(Ws))): norms[l] = np.linalg.norm(a[l].T @ delta); "
        "delta = (delta @ Ws[l].T) * a[l] * (1 - a[l]). (What that gives for l = 0 is not used.)",
    ),
    see=DEPTH,
)
def test_gradient_norms_follow_the_error_down(student, inputs):
    """‖a' δ‖ for each layer, with a factor σ' for each sigmoid layer that the error has passed."""

    def draw() -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
        Ws, bs = ([numbers(inputs, *shape) for _ in range(4)] for shape in ((3, 3), (3,)))
        return numbers(inputs, 4, 3), Ws, bs

    def good(net: tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]) -> bool:
        x, Ws, bs = net
        return far_apart(of_library(x, Ws, bs), known_norms(x, Y, Ws, bs), 2e-4)

    x, Ws, bs = first_good(draw, good)
    expect(
        student.call("gradient_norms", x=x, y=Y, Ws=Ws, bs=bs),
        right=of_library(x, Ws, bs),
        misconceptions=known_norms(x, Y, Ws, bs),
    )
    # Layers of unequal width show whose units are counted.
    Ws = [numbers(inputs, *shape) for shape in ((3, 2), (2, 6), (6, 5))]
    bs = [numbers(inputs, W.shape[1]) for W in Ws]
    expect(student.call("gradient_norms", x=x, y=Y, Ws=Ws, bs=bs), right=of_library(x, Ws, bs))


def of_library(x: np.ndarray, Ws: list[np.ndarray], bs: list[np.ndarray]) -> np.ndarray:
    """The library's norms."""
    return Network(Ws, bs, ["sigmoid"] * (len(Ws) - 1) + ["softmax"]).gradient_norms(x, Y)


# ---- dropout


@pytest.mark.exercise(
    "dropout_mask",
    hints=(
        "First which units stay: a draw of True and False for each entry. Then what they are "
        "multiplied by.",
        "rng.random(shape) < p is True with the probability p. These are the ones that go.",
        "(rng.random((n_rows, n_units)) >= p) / (1 - p).",
    ),
    see=DROPOUT,
)
@pytest.mark.parametrize("about", [0.25, 0.7])
def test_dropout_mask_drops_each_unit_for_itself_and_keeps_the_mean(student, inputs, about):
    """Each entry is 0 with probability p and 1/(1 − p) otherwise, so that its mean is 1."""
    p = round(about + float(inputs.uniform(-0.05, 0.05)), 3)
    answer = student.call(
        "dropout_mask", n_rows=N_DRAWS, n_units=3, p=p, rng=Seed(int(inputs.integers(2**31)))
    )
    mask = answer.array((N_DRAWS, 3))
    found = np.unique(np.round(mask, 6))
    kept = 1 / (1 - p)
    on = mask > 0
    expected = "rows that differ, and units of a row that are dropped one by one"
    if (mask == mask[0]).all() and not (mask == 1).all():
        raise answer.wrong(
            "drops the same units in all rows",
            expected=expected,
            misconception="All rows have the same mask. Each row, and each unit in it, is drawn "
            "for itself.",
        )
    if len(found) != 2 or not np.allclose(found, [0, kept], atol=1e-4):
        known = {
            "What is kept must be multiplied by 1/(1 − p): without it the layer above gets less "
            "than it is used to. That is what inverted dropout is.": [0, 1],
            "What is kept is multiplied by 1/p. It is there with the probability 1 − p: 1/(1 − p) "
            "makes up for that."
            if abs(on.mean() - p) > abs(on.mean() - (1 - p))
            else "Units stay with the probability p, and are multiplied by 1/p. p is the "
            "probability to be dropped: what stays is multiplied by 1/(1 − p).": [0, 1 / p],
            "What is kept is multiplied by 1 − p. That belongs to the old dropout, after training. "
            "Inverted, it is divided by 1 − p.": [0, 1 - p],
            "What is kept is multiplied by p. It is divided by 1 − p.": [0, p],
            "All entries are 1: this is the mask's mean, and nothing is drawn.": [1],
        }
        named = (
            text
            for text, values in known.items()
            if len(values) == len(found) and np.allclose(found, values, atol=1e-4)
        )
        many = "These are the random numbers themselves. Each is to be held against p."
        raise answer.wrong(
            "gives other values than a mask has",
            expected=f"entries of 0 and 1/(1 − p) = {kept:.4f}",
            misconception=many if len(found) > 100 else next(named, ""),
        )
    of_states = np.where(STATES == 1, 1 - p, p).prod(axis=1)
    swapped = np.where(STATES == 1, p, 1 - p).prod(axis=1)
    together = np.zeros(8)
    together[[0, 7]] = p, 1 - p
    expect_draws(
        replace(answer, value=on * 1.0),
        right=of_states,
        n_draws=N_DRAWS,
        misconceptions={
            "Units stay with the probability p here. They go with it.": swapped,
            "All units of a row go together. Each is drawn for itself.": together,
            "Units go with the probability ½, whatever p is.": np.full(8, 1 / 8),
        },
    )


@pytest.mark.exercise(
    "dropout_mask",
    see=DROPOUT,
    after="test_dropout_mask_drops_each_unit_for_itself_and_keeps_the_mean",
)
def test_dropout_mask_leaves_to_chance_how_many_go(student, inputs):
    """Of four units any number may go; that it is the same 40 times has a chance of 1e-17."""
    dropped = set()
    for _ in range(40):
        seed = Seed(int(inputs.integers(2**31)))
        answer = student.call("dropout_mask", n_rows=1, n_units=4, p=0.5, rng=seed)
        mask = answer.array((1, 4))
        if not np.isin(mask, [0, 2]).all():
            raise answer.wrong(
                "gives other values than a mask has", expected="entries of 0 and 1/(1 − p) = 2"
            )
        dropped.add(int((mask == 0).sum()))
    if len(dropped) == 1:
        raise answer.wrong(
            "drops the same number of units every time",
            expected="sometimes more, sometimes fewer",
            misconception="The share p is met exactly. Each unit is drawn for itself, so that "
            "their number varies.",
        )


@pytest.mark.exercise(
    "dropout_mask",
    see=DROPOUT,
    after="test_dropout_mask_drops_each_unit_for_itself_and_keeps_the_mean",
)
def test_dropout_mask_draws_from_the_generator_it_is_given(student):
    """The same generator gives the same draws: all randomness comes from `rng`."""
    judge_randomness(
        lambda rng: student.call("dropout_mask", n_rows=20, n_units=5, p=0.4, rng=rng), (20, 5)
    )


# ---- the step

NAMES = ("W1", "b1", "W2", "b2", "W3", "b3")
MASKS = (
    np.array([[1.0, 0, 1], [1, 1, 0], [0, 1, 1], [1, 1, 1]]) / 0.75,
    np.array([[1.0, 1, 0], [0, 1, 1], [1, 1, 1], [1, 0, 1]]) / 0.8,
)


def stepped(
    x: np.ndarray,
    net: Arrays,
    rates: np.ndarray,
    decay: float,
    *,
    masks: tuple[bool, bool] = (True, True),
    slope: tuple[bool, bool] = (True, True),
    masked_slope: bool = False,
    transposed: bool = True,
    at_once: bool = False,
    decayed: str = "weights",
    scale: float = 1.0,
    sign: float = 1.0,
    y: np.ndarray | None = None,
    through_rates: bool = False,
    closed: bool = False,
    binary: bool = False,
) -> Arrays:
    """A step of fine-tuning with a choice of errors.

    `masks` says whether they are used on the way up and on the way down, `slope` in which hidden
    layers σ' is, `masked_slope` that it is taken of the masked activations, `at_once` that a layer
    is changed before the error goes through it, `decayed` what decays and how, `through_rates` that
    rates are multiplied into δ, `closed` that a frozen layer lets nothing pass.
    """
    theta = [part.copy() for part in net]
    m = [mask > 0 if binary else mask for mask in MASKS]
    above, below = (m if used else [1.0, 1.0] for used in masks)
    s1 = sigmoid(x @ net[0] + net[1])
    a1 = s1 * above[0]
    s2 = sigmoid(a1 @ net[2] + net[3])
    a2 = s2 * above[1]
    p = softmax(a2 @ net[4] + net[5])
    delta = scale * (p - one_hot("y", Y if y is None else y, p.shape[1])) / len(x)
    a, s = (x, a1, a2), (None, s1, s2)
    for layer in (2, 1, 0):
        W, b = theta[2 * layer], theta[2 * layer + 1]
        dW, db = a[layer].T @ delta, delta.sum(axis=0)
        pull = {"weights": (W, 0), "all": (W, b), "none": (0, 0), "biases": (0, b)}
        pull |= {"off": (-W, 0), "sign": (np.sign(W), 0), "twice": (2 * W, 0), "rateless": (0, 0)}
        pull_W, pull_b = pull[decayed]
        new_W = W - rates[layer] * (sign * dW + decay * pull_W)
        new_b = b - rates[layer] * (sign * db + decay * pull_b)
        if decayed == "rateless":
            new_W = new_W - decay * W
        if layer:
            way = new_W if at_once else net[2 * layer]
            delta = (delta @ (way.T if transposed else way)) * below[layer - 1]
            if slope[layer - 1]:
                of = a[layer] if masked_slope else s[layer]
                delta = delta * of * (1 - of)
            if through_rates:
                delta = delta * rates[layer]
            if closed and rates[layer] == 0:
                delta = 0 * delta
        theta[2 * layer], theta[2 * layer + 1] = new_W, new_b
    return tuple(theta)


def known_steps(x: np.ndarray, net: Arrays, rates: np.ndarray, decay: float) -> dict[str, Arrays]:
    """What misconceptions about a step lead to."""

    def of(**errors: Any) -> Arrays:
        return stepped(x, net, rates, decay, **errors)

    right = of()
    plain = Network(net[::2], net[1::2], ["sigmoid", "sigmoid", "softmax"])
    dW, db = plain.gradients(x, Y, masks=[None, *MASKS])
    no_biases = tuple(0 * part if part.ndim == 1 else part for part in net)
    without = stepped(x, no_biases, rates, decay)
    zero_b = tuple(new - old + kept for new, old, kept in zip(without, no_biases, net, strict=True))
    reversed_rates = stepped(x, net, rates[::-1], decay)
    return {
        "This walks uphill: the step goes against the slope.": of(sign=-1),
        "σ' is missing in both hidden layers: δ = (δ_above W') ∘ m ∘ σ'(z).": (
            of(slope=(False, False))
        ),
        "σ' is missing in the first hidden layer: δ¹ = (δ² W²') ∘ m¹ ∘ σ'(z¹).": (
            of(slope=(False, True))
        ),
        "σ' is missing in the second hidden layer: δ² = (δ³ W³') ∘ m² ∘ σ'(z²).": (
            of(slope=(True, False))
        ),
        "σ' is taken of the masked activations, a(1 − a) with a already multiplied by the mask. It "
        "is σ(1 − σ), before the mask.": of(masked_slope=True),
        "The masks are not used.": of(masks=(False, False)),
        "The masks are missing on the way down: what was dropped, or made larger, going up must be "
        "so in δ too.": of(masks=(True, False)),
        "The masks are missing on the way up: a = σ(z) ∘ m.": of(masks=(False, True)),
        "The masks are used as yes or no. Their entries multiply: what is kept is made larger by "
        "1/(1 − p).": of(binary=True),
        "The weights are changed before the error has gone back through them: compute all slopes "
        "with the old weights, then change all.": of(at_once=True),
        "On the way back the weights must be transposed: δ W'. (With layers of the same width, no "
        "error of shapes warns of it.)": of(transposed=False),
        "The biases decay too. Only weights do.": of(decayed="all"),
        "There is no decay here.": of(decayed="none"),
        "The biases decay in the place of the weights.": of(decayed="biases"),
        "The decay has the wrong sign: the weights grow.": of(decayed="off"),
        "The decay pulls by the sign of the weights only, as a penalty on |W| would. The slope of "
        "½λW² is λW.": of(decayed="sign"),
        "The decay is twice as strong: the slope of ½λW² is λW, not 2λW.": of(decayed="twice"),
        "The decay is not multiplied by the rate: W − rate · (∂L/∂W + decay · W).": (
            of(decayed="rateless")
        ),
        "These are the slopes of a sum over the rows. L is a mean: divide δ by their number.": (
            of(scale=len(x))
        ),
        "Divided by the number of rows twice: once in δ is enough.": of(scale=1 / len(x)),
        "The rates go the other way round: the first is that of the bottom layer.": reversed_rates,
        "All layers take the rate of the last.": stepped(x, net, np.full(3, rates[2]), decay),
        "All layers take the rate of the first.": stepped(x, net, np.full(3, rates[0]), decay),
        "The rates are multiplied into δ, so that a lower layer feels those above it too.": (
            of(through_rates=True)
        ),
        "The biases are left out on the way up.": zero_b,
        "These are the slopes of L. The new parameters are asked for.": tuple(
            part for pair in zip(dW, db, strict=True) for part in pair
        ),
        "These are the steps. The new parameters are asked for.": tuple(
            new - old for new, old in zip(right, net, strict=True)
        ),
        "The order of the arrays is another: W1, b1, W2, b2, W3, b3.": (*right[::2], *right[1::2]),
    }


def tunable(inputs: np.random.Generator, n_classes: int = 3) -> tuple[np.ndarray, Arrays]:
    """Points and a network with three units in each layer but, perhaps, the last."""
    net = tuple(numbers(inputs, *shape) for n in (3, 3, n_classes) for shape in ((3, n), (n,)))
    return numbers(inputs, 4, 3), net


def call_step(student: Any, x: np.ndarray, net: Arrays, rates: np.ndarray, decay: float) -> Answer:
    """The student's step."""
    masks = dict(zip(("mask1", "mask2"), MASKS, strict=True))
    parameters = dict(zip(NAMES, net, strict=True))
    return student.call("fine_tune_step", x=x, y=Y, **masks, **parameters, rates=rates, decay=decay)


def right_step(x: np.ndarray, net: Arrays, rates: np.ndarray, decay: float) -> Arrays:
    """By the library's gradients."""
    network = Network(net[::2], net[1::2], ["sigmoid", "sigmoid", "softmax"])
    found: list[np.ndarray] = []
    for W, b, dW, db, rate in zip(
        net[::2], net[1::2], *network.gradients(x, Y, masks=[None, *MASKS]), rates, strict=True
    ):
        found += [W - rate * (dW + decay * W), b - rate * db]
    return tuple(found)


@pytest.mark.exercise(
    "fine_tune_step",
    points=4,
    hints=(
        "Three parts: up, with everything kept; down, with one δ for each layer; then all six "
        "parameters at once, from the old ones and their slopes.",
        "Keep s = σ(z) and a = s ∘ m apart: the layer above sees a, and σ' is s(1 − s). On the way "
        "down δ is multiplied by the mask and by σ'.",
        "d3 = (p - np.eye(K)[y]) / len(x); d2 = (d3 @ W3.T) * mask2 * s2 * (1 - s2); "
        "W2 - rates[1] * (a1.T @ d2 + decay * W2); b2 - rates[1] * d2.sum(axis=0).",
    ),
    see=CHANGES,
)
def test_fine_tune_step_goes_down_the_slopes_of_all_layers(student, inputs):
    """Backpropagation through sigmoid layers and masks, weight decay on weights, three rates."""
    rates, decay = np.array([0.5, 0.8, 1.2]), 0.3

    def good(found: tuple[np.ndarray, Arrays]) -> bool:
        return far_apart(right_step(*found, rates, decay), known_steps(*found, rates, decay), 3e-3)

    x, net = first_good(lambda: tunable(inputs), good)
    expect(
        call_step(student, x, net, rates, decay),
        right=right_step(x, net, rates, decay),
        misconceptions=known_steps(x, net, rates, decay),
    )


@pytest.mark.exercise("fine_tune_step", see=CHANGES)
def test_fine_tune_step_leaves_a_frozen_layer_and_passes_it(student, inputs):
    """A layer whose rate is 0 stays as it is, and the error goes on to the one below."""
    x, net = tunable(inputs, n_classes=5)
    rates, decay = np.array([0.9, 0.0, 0.6]), 0.3
    moving = stepped(x, net, np.array([0.9, 0.7, 0.6]), decay)
    only_decay = list(right_step(x, net, rates, decay))
    only_decay[2] = net[2] - decay * net[2]
    expect(
        call_step(student, x, net, rates, decay),
        right=right_step(x, net, rates, decay),
        misconceptions={
            "The frozen layer lets no error pass: the layers below it learn nothing but their "
            "decay. It does not move, and hands δ down all the same.": (
                stepped(x, net, rates, decay, closed=True)
            ),
            "The layers below a frozen one are left as they are, too.": (
                (*net[:2], *right_step(x, net, rates, decay)[2:])
            ),
            "The frozen layer still decays. With the rate 0 nothing of it moves.": (
                tuple(only_decay)
            ),
            "The frozen layer moves.": moving,
        },
    )


# ---- what is taken for what


@pytest.mark.exercise(
    "confusion_matrix",
    hints=(
        "Start with zeros. Each image adds 1 to one entry: in which row, in which column?",
        "A loop over zip(y, said) does it. An index assignment for all images at once does not: "
        "C[y, said] += 1 adds 1 only once to each entry.",
        "C = np.zeros((n_classes, n_classes)); np.add.at(C, (y, said), 1).",
    ),
    see=ERRORS,
)
def test_confusion_matrix_counts_each_pair_of_classes(student, inputs):
    """Entry [i, j] is how many images of class i were called j, also where a class is absent."""

    def draw() -> tuple[np.ndarray, np.ndarray]:
        return inputs.integers(0, 3, 14), inputs.integers(0, 3, 14)

    def good(pair: tuple[np.ndarray, np.ndarray]) -> bool:
        counts = matrix(*pair)
        complete = all(len(np.unique(each)) == 3 for each in pair)
        return complete and far_apart(counts, known_matrices(counts), 0.05)

    y, said = first_good(draw, good)
    counts = matrix(y, said)
    expect(
        student.call("confusion_matrix", y=y, said=said, n_classes=4),
        right=counts,
        misconceptions=known_matrices(counts),
    )


def matrix(y: np.ndarray, said: np.ndarray) -> np.ndarray:
    """As scikit-learn counts."""
    return confusion_matrix(y, said, labels=range(4))


def known_matrices(counts: np.ndarray) -> dict[str, Any]:
    """What misconceptions about the confusion matrix lead to."""
    rows, columns = counts.sum(axis=1, keepdims=True), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        by_row, by_column = np.nan_to_num(counts / rows), np.nan_to_num(counts / columns)
    diagonal = np.diag(np.diag(counts))
    return {
        "Rows and columns are exchanged: the right class is the row, what was said the column.": (
            counts.T
        ),
        "Pairs that occur more than once are counted once: C[y, said] += 1 reads and writes each "
        "entry only once. np.add.at adds each.": counts > 0,
        "These are shares of the images of each class, not counts.": by_row,
        "These are shares of what each class was said of, not counts.": by_column,
        "These are shares of all images, not counts.": counts / counts.sum(),
        "Only what was named rightly is counted.": diagonal,
        "Only errors are counted. What was named rightly stands on the diagonal.": (
            counts - diagonal
        ),
        "A class that does not occur has no row here. n_classes says how many rows there are.": (
            counts[:3, :3]
        ),
        "This is the number of right answers for each class. The whole matrix is asked for.": (
            np.diag(counts)
        ),
        "The matrix is made symmetric: to take i for j is another error than to take j for i.": (
            (counts + counts.T) / 2
        ),
    }


# ---- when to stop


@pytest.mark.exercise(
    "best_epoch",
    hints=(
        "Go through the epochs one by one, as training does. What have you to remember?",
        "The lowest error so far, and the epoch it came from. When is the last epoch with a new "
        "lowest error `patience` epochs ago?",
        "for epoch, error in enumerate(errors): if error < lowest: lowest, best = error, epoch; "
        "elif epoch - best >= patience: break. Then return best.",
    ),
    see=CHANGES,
)
def test_best_epoch_does_not_look_past_the_stop(student, inputs):
    """The lowest before training stops counts, not a lower one that would have come after."""
    patience = int(inputs.integers(3, 5))
    for before in inputs.permutation([1, 2, 3])[:2]:  # so that no one number is right
        judge_stop(student, inputs, patience, int(before))


def judge_stop(student: Student, inputs: np.random.Generator, patience: int, before: int) -> None:
    """Judge one curve, with so many epochs before its first pause."""
    steps = np.round(inputs.uniform(0.02, 0.05, 40), 3)
    falling = list(0.6 - np.cumsum(steps[:before]))
    # patience − 1 epochs without a new lowest error, then one; patience without, then a lower one.
    # Errors go up and down in between, so that they never rise `patience` times in a row.
    pause = [falling[-1] + (0.05 if n % 2 else 0.02) for n in range(patience - 1)]
    # And that twice: the count begins anew at each new lowest error.
    first_low = round(falling[-1] - steps[before], 3)
    again = [first_low + (0.05 if n % 2 else 0.02) for n in range(patience - 1)]
    low = first_low - steps[before + 1]
    wait = [low + (0.03 if n % 2 else 0.06) for n in range(patience)]
    after = [low - 0.08, low - 0.02, low + 0.04]
    errors = np.round([*falling, *pause, first_low, *again, low, *wait, *after], 3)
    best = len(falling) + len(pause) + 1 + len(again)
    stop = best + patience
    right = kept_epoch(errors, patience)
    expect(
        student.call("best_epoch", errors=errors, patience=patience),
        right=right,
        misconceptions={
            "This epoch comes after the stop. Training has ended before: `patience` epochs in a "
            "row had brought no new lowest error, up or down.": int(errors.argmin()),
            "This is the epoch at which training stops. Kept is the one with the lowest error.": (
                stop
            ),
            "The patience ends one epoch too early: it takes `patience` epochs without a new "
            "lowest error.": before - 1,
            "The count of epochs without a new lowest error is not begun anew at a new lowest: "
            "they count only in a row.": len(falling) + len(pause),
            "Epochs are counted from 0.": best + 1,
            "This is the lowest error. The number of its epoch is asked for.": errors[best],
            "This is the last epoch. Training stops before.": len(errors) - 1,
            "This is the epoch with the highest error.": int(errors.argmax()),
        },
    )


def kept_epoch(errors: np.ndarray, patience: int) -> int:
    """Try every stop: the first epoch that `patience` epochs in a row have not gone below."""
    lowest = np.minimum.accumulate(errors)
    for last in range(patience, len(errors)):
        if lowest[last] == lowest[last - patience]:
            return int(errors[: last + 1].argmin())
    return int(errors.argmin())


@pytest.mark.exercise("best_epoch", see=CHANGES)
def test_best_epoch_keeps_the_first_of_equals(student, inputs):
    """Where nothing stops the training, the first epoch with the lowest error is kept."""
    for n in inputs.permutation([3, 4, 5, 6])[:2]:  # so that no one number is right
        errors = np.round(0.5 - 0.03 * np.arange(n) - inputs.uniform(0, 0.02, n), 3)
        low = errors[-1]
        errors = np.concatenate([errors, [low + 0.05, low, low + 0.02]])
        expect(
            student.call("best_epoch", errors=errors, patience=5),
            right=kept_epoch(errors, 5),
            misconceptions={
                "This is the last of the epochs with the lowest error. An equal error is no new "
                "lowest: the first is kept.": int(n + 1),
                "This is the last epoch. Where training is not stopped early, the epoch with the "
                "lowest error is kept all the same.": int(n + 2),
                "Epochs are counted from 0.": int(n),
                "Nothing has stopped the training here, and some epoch must be kept all the "
                "same.": -1,
            },
        )
