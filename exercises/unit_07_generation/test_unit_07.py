"""What a learner must have understood about generation, one test a claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.special import softmax

from dbnlib import labels
from dbnlib.dbn import DBN
from dbnlib.finetuning import autoencoder_from_dbn
from dbnlib.groups import Groups
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, Softmax, sigmoid, softplus
from dbnlib.updown import learn_down
from exercises.grading import Seed, expect, expect_draws
from exercises.grading.drawing import far_apart, first_good, judge_randomness, large, numbers
from exercises.grading.feedback import ERROR_RATE
from exercises.grading.student import Answer, StudentError, as_numbers

V = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
H = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
STATES = Bernoulli(3).states(0, 8)
#: so many rows in each of two halves
N_DRAWS = 5_000

# Sections of the notebook.
MIRROR = "The mirror pass"
MEANS_OR_DRAWS = "Means or draws"
LABEL = "A label beside the features"
CLASS = "A class on demand"
FILLING_IN = "Filling in"
AUTOENCODER = "The deep autoencoder"
WAKE_SLEEP = "Wake-sleep"


def log_states_given(x: np.ndarray, states: np.ndarray) -> np.ndarray:
    """log p(state | field) for each row of fields and each state: shape (n_fields, n_states)."""
    return x @ states.T - softplus(x).sum(axis=1)[:, None]


def states_given(x: np.ndarray, states: np.ndarray = STATES) -> np.ndarray:
    """Its exponential."""
    return np.exp(log_states_given(x, states))


def shows(right: np.ndarray, other: np.ndarray) -> bool:
    """Whether draws from another distribution are sure to be told from what is right.

    `expect_draws` judges by N_DRAWS · KL of each state's share; twice what it lets pass is enough.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        on = np.where(other > 0, other * np.log(other / right), 0.0)
        off = np.where(other < 1, (1 - other) * np.log((1 - other) / (1 - right)), 0.0)
    return bool(N_DRAWS * (on + off).max() > 2.2 * np.log(2 * len(right) / ERROR_RATE))


def refuse_means(answer: Answer, shape: tuple[int, ...], sentence: str) -> None:
    """StudentError with this sentence if numbers strictly between 0 and 1 came back."""
    value = as_numbers(answer.value)
    if value is not None and value.shape == shape and ((value > 0) & (value < 1)).any():
        raise answer.wrong(
            "gives values that are no states",
            expected=f"an array of shape {shape}, of 0 and 1",
            misconception=sentence,
        )


# ---- up and down again


@pytest.mark.exercise(
    "mirror_pass",
    points=2,
    hints=(
        "Two loops: one over the RBMs from the bottom, one from the top. Each step takes what the "
        "one before it has left.",
        "Up it is σ(c + m @ W), down σ(b + m @ W.T). The way down begins where the way up ended.",
        "for W, c in zip(Ws, cs): m = σ(c + m @ W); then for W, b in "
        "zip(reversed(Ws), reversed(bs)): m = σ(b + m @ W.T).",
    ),
    see=MIRROR,
)
def test_mirror_pass_goes_up_by_means_and_down_again(student, inputs):
    """Each layer's mean makes the next one's, up to the top and back to the pixels."""

    def draw() -> tuple[list[np.ndarray], ...]:
        return tuple([numbers(inputs, *shape) for _ in range(3)] for shape in ((3, 3), (3,), (3,)))

    def told_apart(found: tuple[list[np.ndarray], ...]) -> bool:
        return far_apart(reconstruction(*found), known_mirrors(*found), 1e-3)

    Ws, bs, cs = first_good(draw, told_apart)
    expect(
        student.call("mirror_pass", v=V, Ws=Ws, bs=bs, cs=cs),
        right=reconstruction(Ws, bs, cs),
        misconceptions=known_mirrors(Ws, bs, cs),
    )


def reconstruction(
    Ws: list[np.ndarray], bs: list[np.ndarray], cs: list[np.ndarray], depth: int = 3
) -> np.ndarray:
    """The library's mirror pass."""
    return DBN([RBM(*parts) for parts in zip(Ws, bs, cs, strict=True)]).reconstruct(V, depth=depth)


def known_mirrors(
    Ws: list[np.ndarray], bs: list[np.ndarray], cs: list[np.ndarray]
) -> dict[str, np.ndarray]:
    """What misconceptions about the mirror pass lead to."""
    zeros = [np.zeros(3)] * 3
    top = up(V, Ws, cs)
    crossed = [W.T for W in Ws]
    last = bs[0] + down(top, Ws[1:], bs[1:]) @ Ws[0].T
    rounded = V
    for W, c in zip(Ws, cs, strict=True):
        rounded = sigmoid(c + rounded @ W) > 0.5
    for W, b in zip(Ws[::-1], bs[::-1], strict=True):
        means = sigmoid(b + rounded @ W.T)
        rounded = means > 0.5
    return {
        "This is the way up alone. From the top it goes down again, to the pixels.": top,
        "The way down begins one layer too low: the top RBM is left out.": (
            reconstruction(Ws, bs, cs, 2)
        ),
        "Only the bottom RBM is passed through, up and down. All of them belong to it.": (
            reconstruction(Ws, bs, cs, 1)
        ),
        "That is what comes out without the biases b on the way down.": down(top, Ws, zeros),
        "That is what comes out without the biases c on the way up.": down(
            up(V, Ws, zeros), Ws, bs
        ),
        "That is what comes out without any biases.": down(up(V, Ws, zeros), Ws, zeros),
        "The biases b and c are exchanged: up one feels c, down b.": down(up(V, Ws, bs), Ws, cs),
        "The way down uses the biases c of the way up. The layer below has the biases b.": (
            down(top, Ws, cs)
        ),
        "The weights must be transposed on the way down: m @ W.T. (With layers of the same width, "
        "no error of shapes warns of it.)": down(top, crossed, bs),
        "The way down goes through the RBMs in the order of the way up. It begins with the top "
        "one.": down(top, Ws[::-1], bs[::-1]),
        "Each layer is rounded before it is handed on. The mirror pass hands on means.": means,
        "The pixels are rounded. Their means are asked for.": sigmoid(last) > 0.5,
        "This is the field of the pixels: σ is still to be taken.": last,
    }


def up(v: np.ndarray, Ws: list[np.ndarray], cs: list[np.ndarray]) -> np.ndarray:
    """Means of the top layer."""
    for W, c in zip(Ws, cs, strict=True):
        v = sigmoid(c + v @ W)
    return v


def down(m: np.ndarray, Ws: list[np.ndarray], bs: list[np.ndarray]) -> np.ndarray:
    """Means of the bottom layer."""
    for W, b in zip(Ws[::-1], bs[::-1], strict=True):
        m = sigmoid(b + m @ W.T)
    return m


@pytest.mark.exercise(
    "wrong_pixels",
    hints=(
        "First each mean becomes 0 or 1. Then compare, pixel by pixel, and count in each image.",
        "(rebuilt > 0.5) is an array of True and False; != compares entry by entry.",
        "((rebuilt > 0.5) != v).sum(axis=1).",
    ),
    see=MEANS_OR_DRAWS,
)
def test_wrong_pixels_are_counted_in_each_image(student, inputs):
    """The count of pixels that come out on the other side of ½, for each image."""

    def known(v: np.ndarray, rebuilt: np.ndarray) -> dict[str, np.ndarray]:
        wrong = (rebuilt > 0.5) != v
        return {
            "These are the pixels that come back right.": (~wrong).sum(axis=1),
            "This is the share of the pixels, not their number.": wrong.mean(axis=1),
            "This is one number for all images. Each image has a count of its own.": wrong.sum(),
            "This is the mean over the images. Each image has a count of its own.": (
                wrong.sum(axis=1).mean()
            ),
            "This is the share of all pixels of all images.": wrong.mean(),
            "The sum goes over the wrong axis: over images (0), not over pixels (1).": (
                wrong.sum(axis=0)
            ),
            "This is the sum of the absolute differences. Round first, then compare.": (
                np.abs(v - rebuilt).sum(axis=1)
            ),
            "This is the squared error. Round first, then count what differs.": (
                ((v - rebuilt) ** 2).sum(axis=1)
            ),
            "The differences have a sign here, so that a pixel too many makes up for one too few. "
            "Count what differs, in either direction.": (v - (rebuilt > 0.5)).sum(axis=1),
            "The differences have a sign here, so that a pixel too many makes up for one too "
            "few.": ((rebuilt > 0.5) - v).sum(axis=1),
            "This counts the pixels that are on. Compare them with v.": (
                (rebuilt > 0.5).sum(axis=1)
            ),
            "This counts every pixel that does not come back exactly. Round the means first.": (
                (rebuilt != v).sum(axis=1)
            ),
        }

    def draw() -> tuple[np.ndarray, np.ndarray]:
        v = inputs.integers(0, 2, (4, 6)) * 1.0
        near = inputs.uniform(0.03, 0.97, (4, 6))
        return v, np.round(np.where(np.abs(near - 0.5) < 0.03, 0.45, near), 2)

    v, rebuilt = first_good(
        draw, lambda pair: far_apart(((pair[1] > 0.5) != pair[0]).sum(axis=1), known(*pair), 0.1)
    )
    expect(
        student.call("wrong_pixels", v=v, rebuilt=rebuilt),
        right=((rebuilt > 0.5) != v).sum(axis=1),
        misconceptions=known(v, rebuilt),
    )


# ---- the label


@dataclass(frozen=True)
class Labelled:
    """An arrow down, and an RBM with a label: three units and three labels, so that transposed
    weights raise no error."""

    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray
    c2: np.ndarray
    U: np.ndarray
    d: np.ndarray

    @property
    def top(self) -> RBM:
        """As the library has it: the label's weights below those of the features."""
        return RBM(
            np.vstack([self.W2, self.U]),
            np.concatenate([self.b2, self.d]),
            self.c2,
            visible=Groups([Bernoulli(3), Softmax(3)]),
        )

    def given(self, *names: str) -> dict[str, np.ndarray]:
        """The named parameters as arguments."""
        return {name: getattr(self, name) for name in names}

    def without(self, name: str) -> Labelled:
        """The same with zeros for one parameter."""
        return replace(self, **{name: 0 * getattr(self, name)})


def labelled(
    inputs: np.random.Generator, n_v: int = 3, n_1: int = 3, n_2: int = 3, n_labels: int = 3
) -> Labelled:
    """A small network."""
    shapes = ((n_v, n_1), (n_v,), (n_1, n_2), (n_1,), (n_2,), (n_labels, n_2), (n_labels,))
    return Labelled(*(numbers(inputs, *shape) for shape in shapes))


def minus_F(net: Labelled, h1: np.ndarray = V) -> np.ndarray:
    """−F(h¹, y) for each row and label, but for the term b²'h¹ that all labels share."""
    return net.d + softplus((net.c2 + h1 @ net.W2)[:, None, :] + net.U).sum(axis=2)


def known_labels(net: Labelled) -> dict[str, np.ndarray]:
    """What misconceptions about p(y | h¹) lead to."""
    log_p = minus_F(net)
    x = (net.c2 + V @ net.W2)[:, None, :] + net.U
    p = softmax(log_p, axis=1)
    m = sigmoid(net.c2 + V @ net.W2)
    inside = np.log1p(np.exp(x).sum(axis=2))
    one_hot = np.eye(3)[p.argmax(axis=1)]
    return {
        "The sign is turned round: low free energy means high probability, exp(−F).": (
            softmax(-log_p, axis=1)
        ),
        "The label's biases d are missing.": softmax(minus_F(net.without("d")), axis=1),
        "The hidden biases c2 are missing.": softmax(minus_F(net.without("c2")), axis=1),
        "The features have no say here: h¹W² is missing in the hidden units' fields.": (
            softmax(minus_F(net.without("W2")), axis=1)
        ),
        "The weights W2 are transposed: the fields are h1 @ W2.": (
            softmax(minus_F(replace(net, W2=net.W2.T)), axis=1)
        ),
        "The label's weights are transposed: U is (labels, hidden units), and label y adds its "
        "row U[y] to the fields.": softmax(minus_F(replace(net, U=net.U.T)), axis=1),
        "These are the label's probabilities given the mean of h², found without a label. The "
        "hidden units are to be summed out beside each label: a free energy for each.": (
            softmax(net.d + m @ net.U.T, axis=1)
        ),
        "The fields themselves are summed: that counts only the state with all hidden units on. "
        "log(1 + exp(x)) counts both states of each.": softmax(net.d + x.sum(axis=2), axis=1),
        "The hidden units' means are summed here. What one unit adds to −F is log(1 + exp(x)).": (
            softmax(net.d + sigmoid(x).sum(axis=2), axis=1)
        ),
        "The sum over hidden units stands inside the logarithm: log(1 + Σ exp). Each unit has a "
        "logarithm of its own.": softmax(net.d + inside, axis=1),
        "The probabilities are to add up to 1 over the labels of each row (axis 1), not over the "
        "rows.": softmax(log_p, axis=0),
        "The probabilities add up to 1 over all rows and labels. Each row is a distribution of "
        "its own.": softmax(log_p),
        "These are −F, not probabilities: exponentiate and divide by the sum of the row.": log_p,
        "These are free energies: exponentiate −F and divide by the sum of the row.": -log_p,
        "These are exp(−F). Divided by the sum of their row they are probabilities.": np.exp(log_p),
        "Each label has a sigmoid of its own here. Exactly one label holds: divide exp(−F) by the "
        "sum over the labels.": sigmoid(log_p),
        "These are logarithms of probabilities.": np.log(p),
        "This says which label is the most probable. All their probabilities are asked for.": (
            p.argmax(axis=1)
        ),
        "This is 1 at the most probable label. All their probabilities are asked for.": one_hot,
    }


@pytest.mark.exercise(
    "label_probabilities",
    points=2,
    hints=(
        "Try each label in turn: with label y the hidden fields are those of the features plus "
        "U[y]. One number comes out for each row and each label.",
        "x = (c2 + h1 @ W2)[:, None, :] + U has the shape (rows, labels, hidden units).",
        "minus_F = d + np.logaddexp(0, x).sum(axis=2); then a softmax over axis 1, with the "
        "largest of each row taken out first.",
    ),
    see=LABEL,
)
def test_label_probabilities_come_from_free_energies(student, inputs):
    """p(y | h¹) is exp(−F(h¹, y)), divided by the sum over the labels."""
    net = first_good(lambda: labelled(inputs), told_apart)
    expect(
        student.call("label_probabilities", h1=V, **net.given("W2", "c2", "U", "d")),
        right=labels.label_probabilities(net.top, V),
        misconceptions=known_labels(net),
    )


def told_apart(net: Labelled) -> bool:
    """Whether every known misconception about p(y | h¹) shows."""
    return far_apart(labels.label_probabilities(net.top, V), known_labels(net), 0.01)


@pytest.mark.exercise("label_probabilities", see=LABEL)
def test_label_probabilities_survive_large_fields(student, inputs):
    """Fields of some ±10,000 give probabilities, and no NaN, in each row."""
    # Free energies near 30,000, near 0, and far apart within a row.
    most = large(inputs)
    h1 = inputs.permutation([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    W2 = inputs.permutation([[most] * 3, [-most] * 3])
    # Quarters, which float32 holds beside 30,000; and more labels than hidden units.
    U, d = (np.round(4 * numbers(inputs, *shape)) / 4 for shape in ((4, 3), (4,)))
    U[tuple(inputs.integers(0, (4, 3)))] = -large(inputs)
    net = Labelled(
        W1=np.zeros((2, 2)),
        b1=np.zeros(2),
        W2=W2,
        b2=np.zeros(2),
        c2=np.zeros(3),
        U=U,
        d=d,
    )
    x = (net.c2 + h1 @ W2)[:, None, :] + U
    answer = student.call("label_probabilities", h1=h1, **net.given("W2", "c2", "U", "d"))
    value = as_numbers(answer.value)
    if value is not None and not np.isfinite(value).all():
        raise answer.wrong(
            "gives NaN or infinity",
            expected="finite numbers",
            misconception="exp(10000) is infinity, and infinity by infinity is NaN. Stay with "
            "logarithms: log(1 + exp(x)) is np.logaddexp(0, x), and before the softmax the largest "
            "−F of each row is taken out of the row.",
        )
    expect(answer, right=softmax(net.d + np.logaddexp(0, x).sum(axis=2), axis=1))


def one_hot_states(p: np.ndarray) -> np.ndarray:
    """Probability of each of the eight states of three places, exactly one of which is 1."""
    found = np.zeros(8)
    found[[4, 2, 1]] = p
    return found


@pytest.mark.exercise(
    "draw_label",
    points=2,
    hints=(
        "One random number for each row decides among all labels. Lay the probabilities end to "
        "end from 0 to 1: into which piece does it fall?",
        "The pieces end at p.cumsum(axis=1). How many of these ends lie at or below the number?",
        "y = (rng.random((len(p), 1)) >= p.cumsum(axis=1)[:, :-1]).sum(axis=1); return "
        "np.eye(p.shape[1])[y].",
    ),
    see=LABEL,
)
def test_draw_label_draws_one_of_them_with_its_probability(student, inputs):
    """Each label comes as often as its probability says, and never two at once."""

    def draw() -> list[np.ndarray]:
        p = np.round(inputs.uniform(0.12, 0.6, (2, 3)), 2)
        p[:, 2] = np.round(1 - p[:, 0] - p[:, 1], 2)
        return list(p)

    def good(pair: list[np.ndarray]) -> bool:
        apart = min(abs(a - b) for row in pair for n, a in enumerate(row) for b in row[:n])
        return np.min(pair) > 0.11 and apart > 0.08 and np.abs(pair[0] - pair[1]).max() > 0.1

    pair = first_good(draw, good)
    p = np.repeat(pair, N_DRAWS, axis=0)
    answer = student.call("draw_label", p=p, rng=Seed(int(inputs.integers(2**31))))
    value = as_numbers(answer.value)
    if value is not None and value.shape == (2 * N_DRAWS,):
        raise answer.wrong(
            "gives something of the wrong shape",
            expected=f"an array of shape {p.shape}, in each row one 1 and else 0",
            misconception="This is one number for each row. A label is written one-hot: "
            "np.eye(n_labels)[y].",
        )
    expect_halves(
        answer,
        p.shape,
        right=[one_hot_states(row) for row in pair],
        values={
            "These are probabilities. One label is to be drawn with them.": p,
            "All rows show the same label, the most probable one. Draw, for each row anew: each "
            "label comes with its probability.": np.eye(3)[p.argmax(axis=1)],
        },
        misconceptions=[known_draws(row, pair[0]) for row in pair],
    )


def known_draws(p: np.ndarray, first: np.ndarray) -> dict[str, np.ndarray]:
    """What misconceptions about drawing a label lead to: probabilities of the eight states."""
    independent = np.where(STATES == 1, p, 1 - p).prod(axis=1)
    opposite = np.where(STATES == 1, 1 - p, p).prod(axis=1)
    all_alike = [one_hot_states(np.eye(3)[n]) for n in range(3)]
    cumulative = np.zeros(8)
    cumulative[[7, 3, 1]] = p
    return {
        "The places are drawn one by one, as if they were units of their own: there are rows with "
        "no label, and rows with two. A label is one unit: one random number a row.": independent,
        "The places are drawn one by one, and are 1 where the random number is larger than p.": (
            opposite
        ),
        "All places from the one that was drawn on are 1. Only this one is.": cumulative,
        "All labels come equally often. Each comes with its probability p.": (
            one_hot_states(np.full(3, 1 / 3))
        ),
        "Every row uses the probabilities of the first row.": one_hot_states(first),
        "All rows show the same label: each row wants a random number of its own.": all_alike[0],
        "All rows show the same label: is there one random number for all?": all_alike[1],
        "All rows show the same label: is the sum taken over the rows (axis 0)?": all_alike[2],
        "The label that comes out is the one after the one that was drawn.": (
            one_hot_states(np.roll(p, 1))
        ),
        "The label that comes out is the one before the one that was drawn.": (
            one_hot_states(np.roll(p, -1))
        ),
        "The labels come in the reverse order.": one_hot_states(p[::-1]),
    }


def expect_halves(
    answer: Answer,
    shape: tuple[int, int],
    right: list[np.ndarray],
    values: Mapping[str, np.ndarray],
    misconceptions: list[Mapping[str, np.ndarray]],
) -> None:
    """`expect_draws` for the first half of the rows and for the second, which differ."""
    array, half = as_numbers(answer.value), shape[0] // 2
    if array is None or array.shape != shape:
        raise answer.wrong(
            "gives something of the wrong shape", expected=f"an array of shape {shape}"
        )
    for n, which in enumerate(("first", "second")):
        rows = slice(n * half, (n + 1) * half)
        try:
            expect_draws(
                replace(answer, value=array[rows]),
                right=right[n],
                n_draws=half,
                values={text: value[rows] for text, value in values.items()},
                misconceptions=misconceptions[n],
            )
        except StudentError as error:
            message = (
                f"{error}\n\n(The two halves of the rows are judged apart: this is the {which}.)"
            )
            raise StudentError(message, error.kind, error.misconception) from None


@pytest.mark.exercise(
    "draw_label", see=LABEL, after="test_draw_label_draws_one_of_them_with_its_probability"
)
def test_draw_label_draws_from_the_generator_it_is_given(student):
    """The same generator gives the same draws: all randomness comes from `rng`."""
    p = np.repeat([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]], 50, axis=0)
    judge_randomness(lambda rng: student.call("draw_label", p=p, rng=rng), p.shape)


# ---- a class on demand


def undecided(inputs: np.random.Generator) -> Labelled:
    """A network with large weights and biases that make up for them: its neighbours decide a unit,
    so that it matters whether they are drawn."""
    W1, W2, U = (numbers(inputs, 3, 3, size=3.0) for _ in range(3))
    b1, b2, c2, d = (numbers(inputs, 3) for _ in range(4))
    b1, b2 = b1 - W1.sum(axis=1) / 2, b2 - W2.sum(axis=1) / 2
    c2 = c2 - W2.sum(axis=0) / 2 - U.mean(axis=0)
    return Labelled(W1, np.round(b1, 2), W2, np.round(b2, 2), np.round(c2, 2), U, d)


def step(net: Labelled, label: np.ndarray) -> np.ndarray:
    """Transition from each state of h¹ to each, with U_y as given."""
    rise = states_given(net.c2 + label + STATES @ net.W2)
    return rise @ states_given(net.b2 + STATES @ net.W2.T)


def dream(
    net: Labelled, label: np.ndarray, start: int, n_steps: int, W1: np.ndarray | None = None
) -> np.ndarray:
    """Probability of each state of v, after so many steps from state number `start` of h¹."""
    W1 = net.W1 if W1 is None else W1
    p_h1 = np.linalg.matrix_power(step(net, label), n_steps)[start]
    return p_h1 @ states_given(net.b1 + STATES @ W1.T)


def known_dreams(net: Labelled, y: int, start: int, n_steps: int) -> dict[str, np.ndarray]:
    """What misconceptions lead to: probabilities of the states of v."""
    label, nothing = net.U[y], np.zeros(3)
    fall = states_given(net.b2 + STATES @ net.W2.T)
    going_down = states_given(net.b1 + STATES @ net.W1.T)
    rise = states_given(net.c2 + label + STATES @ net.W2)
    before = np.linalg.matrix_power(rise @ fall, n_steps - 1)[start]
    # where a layer hands on its means
    h2_mean = sigmoid(net.c2 + label + STATES @ net.W2)
    by_h2_means = np.linalg.matrix_power(states_given(net.b2 + h2_mean @ net.W2.T), n_steps)
    h1_mean = sigmoid(net.b2 + STATES @ net.W2.T)
    by_h1_means = states_given(net.b1 + h1_mean @ net.W1.T)
    opposite = np.linalg.matrix_power(rise[:, ::-1] @ fall[:, ::-1], n_steps)
    found = {
        "The label is not heard: these are draws for no class in particular. It adds U[y] to the "
        "fields of h².": dream(net, nothing, start, n_steps),
        "The label's weights are transposed: U is (labels, hidden units), so label y adds the row "
        "U[y].": dream(net, net.U[:, y], start, n_steps),
        "These are draws for the class after the one that was asked for: labels count from 0.": (
            dream(net, net.U[(y + 1) % 3], start, n_steps)
        ),
        "These are draws for the class before the one that was asked for: labels count from 0.": (
            dream(net, net.U[y - 1], start, n_steps)
        ),
        "All labels are on at once here: only the row U[y] is added.": (
            dream(net, net.U.sum(axis=0), start, n_steps)
        ),
        "The label is taken off: c2 + h1 @ W2 + U[y].": dream(net, -label, start, n_steps),
        "The number of the class takes part in the sum, y · U. It says which row of U is added.": (
            dream(net, y * net.U.sum(axis=0), start, n_steps)
        ),
        "The chain does not move: this is a draw from p(v | h¹) at the start.": going_down[start],
        "The hidden units h² hand down their probabilities, not their states: h² is not drawn.": (
            by_h2_means[start] @ going_down
        ),
        "The last h¹ hands down its probabilities, not its states: h¹ is not drawn.": (
            before @ rise @ by_h1_means
        ),
        "The visible biases b1 are missing on the way down.": (
            dream(net.without("b1"), label, start, n_steps)
        ),
        "The biases b2 of h¹ are missing in the chain.": (
            dream(net.without("b2"), label, start, n_steps)
        ),
        "The biases c2 of h² are missing in the chain.": (
            dream(net.without("c2"), label, start, n_steps)
        ),
        "The biases b2 and c2 are exchanged: b2 belongs to h¹.": (
            dream(replace(net, b2=net.c2, c2=net.b2), label, start, n_steps)
        ),
        "What comes back are the states of h¹. One draw of v given h¹ is missing.": (
            before @ rise @ fall
        ),
        "The weights must be transposed on the way down to the pixels: h1 @ W1.T.": (
            dream(net, label, start, n_steps, net.W1.T)
        ),
        "The weights of the top RBM are transposed: up it is h1 @ W2, down h2 @ W2.T.": (
            dream(replace(net, W2=net.W2.T), label, start, n_steps)
        ),
        "Each unit is on where the random number is larger than p, so with the probability "
        "1 − p.": opposite[start] @ going_down[:, ::-1],
    }
    if n_steps > 1:
        freely = np.linalg.matrix_power(step(net, nothing), n_steps - 1)
        going = {
            "The label is heard in the first step only. It is held fast in all of them.": (
                (rise @ fall)[start] @ freely @ going_down
            ),
            "The label is heard in the last step only. It is held fast in all of them.": (
                freely[start] @ rise @ fall @ going_down
            ),
            "The label goes free after the first step: it is drawn again, given h². It is to be "
            "held fast.": set_free(net, y, start, n_steps) @ going_down,
        }
        found = going | found
    return found


def set_free(net: Labelled, y: int, start: int, n_steps: int) -> np.ndarray:
    """Probability of the states of h¹ where the label is drawn anew from p(y | h²), without d."""
    rises = np.stack([states_given(net.c2 + label + STATES @ net.W2) for label in net.U])
    fall = states_given(net.b2 + STATES @ net.W2.T)
    p_label = softmax(STATES @ net.U.T, axis=1)
    joint = np.zeros((3, 8))
    joint[y, start] = 1
    for _ in range(n_steps):
        p_h2 = np.einsum("ys,ysh->h", joint, rises)
        joint = np.einsum("h,hy,hs->ys", p_h2, p_label, fall)
    return joint.sum(axis=0)


@pytest.mark.exercise(
    "sample_with_label",
    points=2,
    seconds=20,
    hints=(
        "A loop of steps in the top RBM, in which y never changes; after the loop, once, down to "
        "the pixels. What does a label that is held fast add to the fields of h²?",
        "U[y] has one row for each chain, and is the same in all steps: the field of h² is "
        "c2 + h1 @ W2 + U[y]. h¹ does not feel the label directly.",
        "In the loop: h2 drawn with σ(c2 + h1 @ W2 + U[y]), h1 drawn with σ(b2 + h2 @ W2.T). "
        "After it: p = σ(b1 + h1 @ W1.T); return (rng.random(p.shape) < p) * 1.0.",
    ),
    see=CLASS,
)
@pytest.mark.parametrize("n_steps", [1, 3])
def test_sample_with_label_holds_the_label_fast(student, inputs, n_steps):
    """After n steps with the label y and one draw down, each v comes as often as it should."""
    start, y = 5, (1, 2)  # h¹ = 101

    def good(net: Labelled) -> bool:
        right = [dream(net, net.U[each], start, n_steps) for each in y]
        if not shows(right[1], right[0]):
            return False
        known = list(known_dreams(net, y[0], start, n_steps).values())
        loose = known[: 4 if n_steps > 1 else 1]  # a label that is not held fast
        return all(shows(right[0], other) for other in known) and all(
            shows(a, b) for a in loose for b in loose if a is not b
        )

    net = first_good(lambda: undecided(inputs), good)
    h1 = np.repeat(STATES[start : start + 1], 2 * N_DRAWS, axis=0)
    answer = student.call(
        "sample_with_label",
        y=np.repeat(y, N_DRAWS),
        h1=h1,
        n_steps=n_steps,
        **net.given("W1", "b1", "W2", "b2", "c2", "U"),
        rng=Seed(int(inputs.integers(2**31))),
    )
    refuse_means(
        answer,
        h1.shape,
        "These are probabilities. The last draw is missing: 1 with the probability p, else 0.",
    )
    first = dream(net, net.U[y[0]], start, n_steps)
    expect_halves(
        answer,
        h1.shape,
        right=[dream(net, net.U[each], start, n_steps) for each in y],
        values={"This is where the chain was: nothing has been drawn.": h1},
        misconceptions=[
            known_dreams(net, y[0], start, n_steps),
            {
                "All chains are held at the label of the first. Each row has a label of its "
                "own.": first,
                **known_dreams(net, y[1], start, n_steps),
            },
        ],
    )


@pytest.mark.exercise(
    "sample_with_label", see=CLASS, after="test_sample_with_label_holds_the_label_fast"
)
def test_sample_with_label_draws_from_the_generator_it_is_given(student, inputs):
    """The same generator gives the same draws: all randomness comes from `rng`."""
    net = labelled(inputs, 5, 4, 3, 6)  # of unequal layers: each draw needs its own shape
    h1, y = inputs.integers(0, 2, (200, 4)) * 1.0, np.repeat([0, 5, 2, 1], 50)
    given = net.given("W1", "b1", "W2", "b2", "c2", "U")
    judge_randomness(
        lambda rng: student.call("sample_with_label", y=y, h1=h1, n_steps=2, **given, rng=rng),
        (200, 5),
    )


# ---- filling in

PIXELS = Bernoulli(4).states(0, 16)
#: 1 1 0 0, of which 1 · 0 · are known in half of the images, and · · 0 0 in the others
START, KNOWN = 12, np.array([[True, False, True, False], [False, False, True, True]])


def pixel_machine(inputs: np.random.Generator, n_hidden: int = 4) -> RBM:
    """Four pixels, and hidden units, with large weights, none of them decided by its bias."""
    W = numbers(inputs, 4, n_hidden, size=2.5)
    b, c = numbers(inputs, 4), numbers(inputs, n_hidden)
    return RBM(W, np.round(b - W.sum(axis=1) / 2, 2), np.round(c - W.sum(axis=0) / 2, 2))


def gibbs(rbm: RBM) -> np.ndarray:
    """Transition between the states of all pixels when none is known."""
    rise = states_given(rbm.hidden_field(PIXELS), PIXELS)
    return rise @ states_given(rbm.visible_field(PIXELS), PIXELS)


def put_back(known: np.ndarray) -> np.ndarray:
    """Transition from each state to the same with the known pixels as they were at the start."""
    after = np.where(known, PIXELS[START], PIXELS) @ [8, 4, 2, 1]
    return np.eye(16)[after.astype(int)]


def filled(rbm: RBM, known: np.ndarray, n_steps: int, start: int = START) -> np.ndarray:
    """Probability of each state of the pixels after so many steps."""
    return np.linalg.matrix_power(gibbs(rbm) @ put_back(known), n_steps)[start]


def known_fillings(rbm: RBM, known: np.ndarray, n_steps: int) -> dict[str, np.ndarray]:
    """What misconceptions about filling in lead to: probabilities of the states of the pixels."""
    W, b, c = rbm.W, rbm.b, rbm.c
    free, back = gibbs(rbm), put_back(known)
    of_means = states_given(rbm.visible_field(rbm.hidden_mean(PIXELS)), PIXELS)
    rounded = states_given(rbm.visible_field(rbm.hidden_mean(PIXELS) > 0.5), PIXELS)
    unheard = states_given(c + (PIXELS * ~known) @ W, PIXELS)
    unheard = unheard @ states_given(rbm.visible_field(PIXELS), PIXELS) @ back
    rise = states_given(rbm.hidden_field(PIXELS), PIXELS)[:, ::-1]
    opposite = rise @ states_given(rbm.visible_field(PIXELS), PIXELS)[:, ::-1] @ back
    from_zero = int((PIXELS[START] * known) @ [8, 4, 2, 1])
    power = np.linalg.matrix_power
    found = {
        "The known pixels do not keep their values: this is a chain in which all pixels are "
        "free.": power(free, n_steps)[START],
        "The mask is the wrong way round: the unknown pixels keep their values here, and the known "
        "ones are drawn.": filled(rbm, ~known, n_steps),
        "The unknown pixels are set to 0 before the chain. It starts from what stands in v.": (
            filled(rbm, known, n_steps, from_zero)
        ),
        "The hidden units hand down their probabilities, not their states: h is not drawn.": (
            power(of_means @ back, n_steps)[START]
        ),
        "The hidden units are rounded (on where p > ½), not drawn.": (
            power(rounded @ back, n_steps)[START]
        ),
        "The known pixels are not heard: only the unknown ones go up here. All pixels go up, and "
        "only the unknown ones are drawn anew.": power(unheard, n_steps)[START],
        "The visible biases b are missing on the way down.": filled(
            RBM(W, 0 * b, c), known, n_steps
        ),
        "The hidden biases c are missing on the way up.": filled(RBM(W, b, 0 * c), known, n_steps),
        "The biases are exchanged: b belongs to the pixels, c to the hidden units.": (
            filled(RBM(W, c, b), known, n_steps)
        ),
        "The weights are transposed: up it is v @ W, down h @ W.T.": (
            filled(RBM(W.T, b, c), known, n_steps)
        ),
        "The weights must be transposed on the way down: h @ W.T.": power(
            states_given(rbm.hidden_field(PIXELS), PIXELS)
            @ states_given(b + PIXELS @ W, PIXELS)
            @ back,
            n_steps,
        )[START],
        "Each unit is on where the random number is larger than p, so with the probability "
        "1 − p.": power(opposite, n_steps)[START],
    }
    if n_steps > 1:
        found = {
            "The known pixels are put back at the end only. They must keep their values in every "
            "step: else the chain forgets them on its way.": (power(free, n_steps) @ back)[START],
            **found,
            "One step is taken, whatever n_steps says.": filled(rbm, known, 1),
        }
    return found


@pytest.mark.exercise(
    "fill_in",
    seconds=20,
    hints=(
        "A step of Gibbs sampling as you know it, for all pixels; then, in the same step, the "
        "known ones get their values back.",
        "np.where(known, v, drawn) takes from v where known is True, else from what was drawn.",
        "x = v; in the loop: h drawn with σ(c + x @ W), drawn with σ(b + h @ W.T), and "
        "x = np.where(known, v, drawn).",
    ),
    see=FILLING_IN,
)
@pytest.mark.parametrize("n_steps", [1, 3])
def test_fill_in_draws_the_unknown_and_keeps_the_known(student, inputs, n_steps):
    """After n steps in which the known pixels keep their values, each image comes as it should."""

    def good(rbm: RBM) -> bool:
        right = filled(rbm, KNOWN[0], n_steps)
        *known, last = known_fillings(rbm, KNOWN[0], n_steps).values()
        return all(shows(right, p) and shows(last, p) for p in known) and shows(right, last)

    rbm = first_good(lambda: pixel_machine(inputs), good)
    v = np.repeat(PIXELS[START : START + 1], 2 * N_DRAWS, axis=0)
    answer = student.call(
        "fill_in",
        v=v,
        known=np.repeat(KNOWN, N_DRAWS, axis=0),
        n_steps=n_steps,
        W=rbm.W,
        b=rbm.b,
        c=rbm.c,
        rng=Seed(int(inputs.integers(2**31))),
    )
    refuse_means(
        answer,
        v.shape,
        "These are probabilities. Draws are asked for: 1 with the probability p, else 0. (What "
        "`complete` of the library returns is the mean of many.)",
    )
    expect_halves(
        answer,
        v.shape,
        right=[filled(rbm, known, n_steps) for known in KNOWN],
        values={"The image is as it was: nothing has been drawn.": v},
        misconceptions=[
            known_fillings(rbm, KNOWN[0], n_steps),
            {
                "The mask of the first image is used for all. Each row has a mask of its own.": (
                    filled(rbm, KNOWN[0], n_steps)
                ),
                **known_fillings(rbm, KNOWN[1], n_steps),
            },
        ],
    )


@pytest.mark.exercise(
    "fill_in", see=FILLING_IN, after="test_fill_in_draws_the_unknown_and_keeps_the_known"
)
def test_fill_in_draws_from_the_generator_it_is_given(student, inputs):
    """The same generator gives the same draws: all randomness comes from `rng`."""
    rbm = pixel_machine(inputs, n_hidden=6)  # of unequal layers: each draw needs its own shape
    v = np.repeat(PIXELS[[3, 5, 9, 12]], 50, axis=0)
    given = {"known": np.repeat(KNOWN, 100, axis=0), "W": rbm.W, "b": rbm.b, "c": rbm.c}
    judge_randomness(lambda rng: student.call("fill_in", v=v, n_steps=2, **given, rng=rng), v.shape)


# ---- wake-sleep


@pytest.mark.exercise(
    "wake_step",
    points=2,
    hints=(
        "What did the way down expect of v, given h? The difference to v itself is what it has "
        "still to learn.",
        "W has a row for each pixel and a column for each hidden unit: (v − mean)' h, summed over "
        "the examples, has this shape. Divide by their number.",
        "missing = v - σ(b + h @ W.T); W + rate * missing.T @ h / len(v), and "
        "b + rate * missing.mean(axis=0).",
    ),
    see=WAKE_SLEEP,
)
def test_wake_step_climbs_the_probability_of_what_was_below(student, inputs):
    """W grows by rate · mean of (v − E[v | h]) h', and b by rate · mean of (v − E[v | h])."""
    W, b, rate = numbers(inputs, 3, 3), numbers(inputs, 3), 0.3
    rbm = RBM(W, b)
    learn_down(rbm, V, H, rate)
    right = (rbm.W, rbm.b)
    n = len(V)

    def stepped(missing: np.ndarray, above: np.ndarray = H, scale: float = rate / n) -> tuple:
        return W + scale * missing.T @ above, b + scale * missing.sum(axis=0)

    x = b + H @ W.T
    mean = sigmoid(x)
    new_W, new_b = stepped(V - mean)
    upward = H - sigmoid(V @ W)
    expect(
        student.call("wake_step", v=V, h=H, W=W, b=b, rate=rate),
        right=right,
        misconceptions={
            "The sign is turned round: this makes v less probable given h.": stepped(mean - V),
            "This is the sum over the examples; the mean is asked for.": (
                stepped(V - mean, scale=rate)
            ),
            "In W this is the sum over the examples; the mean is asked for.": (
                (stepped(V - mean, scale=rate)[0], new_b)
            ),
            "In b this is the sum over the examples; the mean is asked for.": (
                (new_W, stepped(V - mean, scale=rate)[1])
            ),
            "The rate is missing.": stepped(V - mean, scale=1 / n),
            "This is the step alone. It is to be added to W and b.": (new_W - W, new_b - b),
            "This is the gradient, without the rate. The new W and b are asked for.": (
                (new_W - W) / rate,
                (new_b - b) / rate,
            ),
            "The biases stay where they were. They learn by the same rule, with 1 in the place of "
            "h.": (new_W, b),
            "What the way down expects is not taken off: v h' alone grows for ever.": stepped(V),
            "The weights must be transposed on the way down: E[v | h] = σ(b + h @ W.T).": (
                stepped(V - sigmoid(b + H @ W))
            ),
            "The bias is missing in E[v | h] = σ(b + h @ W.T).": stepped(V - sigmoid(H @ W.T)),
            "v is compared with the field. E[v | h] is its σ.": stepped(V - x),
            "v is compared with a rounded mean. The gradient has the mean itself.": (
                stepped(V - (mean > 0.5))
            ),
            "There is a factor σ' = σ(1 − σ) too many. It belongs to the squared error; in the "
            "gradient of log p(v | h) it has cancelled.": stepped((V - mean) * mean * (1 - mean)),
            "The step in W is transposed: its rows belong to v, its columns to h.": (
                (W + (new_W - W).T, new_b)
            ),
            "The mean of a product is not the product of the means: (v − E[v | h]) h' in each "
            "example, and then the mean.": (
                W + rate * np.outer((V - mean).mean(axis=0), H.mean(axis=0)),
                new_b,
            ),
            "This is how the way up learns, in the sleep phase: v'(h − E[h | v]). Awake, the way "
            "down learns to give back v.": (W + rate / n * V.T @ upward, new_b),
        },
    )


# ---- the autoencoder


@pytest.mark.exercise(
    "unroll",
    hints=(
        "Follow the mirror pass, and write down which weights and which biases each of its four "
        "steps uses.",
        "Up: W1, then W2. Down: W2 transposed, then W1 transposed. Up a layer gets its own c, "
        "down the layer below gets its b.",
        "return W1, c1, W2, c2, W2.T, b2, W1.T, b1 (as copies).",
    ),
    see=AUTOENCODER,
)
def test_unroll_lays_the_mirror_pass_out_as_four_layers(student, inputs):
    """Up with W and c, then down with W' and b, in the reverse order."""
    W1, W2 = numbers(inputs, 3, 3), numbers(inputs, 3, 3)
    b1, c1, b2, c2 = (numbers(inputs, 3) for _ in range(4))
    network = autoencoder_from_dbn(DBN([RBM(W1, b1, c1), RBM(W2, b2, c2)]))
    zero = np.zeros(3)
    encoder = (W1, c1, W2, c2)
    expect(
        student.call("unroll", W1=W1, b1=b1, c1=c1, W2=W2, b2=b2, c2=c2),
        right=tuple(
            part for pair in zip(network.weights, network.biases, strict=True) for part in pair
        ),
        misconceptions={
            "The decoder's weights are not transposed: it goes the other way through each RBM.": (
                (*encoder, W2, b2, W1, b1)
            ),
            "The decoder begins at the wrong end: after the code comes W2 transposed, and W1 "
            "transposed is the last.": (*encoder, W1.T, b1, W2.T, b2),
            "The biases are exchanged: up a layer gets the c of its RBM, down it gets the b.": (
                (W1, b1, W2, b2, W2.T, c2, W1.T, c1)
            ),
            "The encoder has the visible biases. The layers above have the biases c.": (
                (W1, b1, W2, b2, W2.T, b2, W1.T, b1)
            ),
            "The decoder has the hidden biases again. The layer below has the biases b.": (
                (*encoder, W2.T, c2, W1.T, c1)
            ),
            "The decoder has the biases c1 where those of the features belong. Its RBM has its own "
            "biases for them: b2.": (*encoder, W2.T, c1, W1.T, b1),
            "The decoder's biases come in the wrong order: b2 belongs to the features, b1 to the "
            "pixels.": (*encoder, W2.T, b1, W1.T, b2),
            "The decoder starts without biases. It takes those of the visible layers.": (
                (*encoder, W2.T, zero, W1.T, zero)
            ),
            "All biases start from 0 here. Pretraining has learned them.": (
                (W1, zero, W2, zero, W2.T, zero, W1.T, zero)
            ),
            "This is the encoder alone. Two layers lead down again.": encoder,
            "The order of the arrays is another: weights and biases take turns.": (
                (W1, W2, W2.T, W1.T, c1, c2, b2, b1)
            ),
            "The decoder has inverse matrices. It is asked for transposed ones.": (
                (*encoder, np.linalg.pinv(W2), b2, np.linalg.pinv(W1), b1)
            ),
        },
    )
