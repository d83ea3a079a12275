"""What each program of the bug hunt was meant to do, one test a claim.

No test passes on a program as it was handed out. One that is still so, and fails, is not called
wrong but untouched; the fingerprints say which (`python -m exercises.grading.untouched FILE`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.special import ndtr

from dbnlib.finite_differences import central_difference
from dbnlib.units import sigmoid, softplus
from exercises.grading import Seed, expect, expect_draws
from exercises.grading.drawing import first_good, judge_randomness, numbers
from exercises.grading.feedback import fits
from exercises.grading.student import Answer, as_numbers

HANDED_OUT = {
    "split": "9e3b80af4d",
    "held_out_error": "670beb9399",
    "noisy_copies": "be817f8c81",
    "start_weights": "0314a45f54",
    "layer_activations": "cc0d758b42",
    "log_loss": "7034e5dbd7",
    "backward": "256e0b525a",
    "epoch": "e0b02adaa3",
    "fit_with_decay": "c500e341b0",
    "train_boltzmann": "710a975617",
    "gibbs_chain": "70d910da68",
    "train_rbm": "be743aea89",
    "pretrain": "e352a123c8",
    "reconstruct": "e0af8c8ed5",
}

# Sections of the notebooks.
RULE = "01: The rule, derived"
SAMPLES = "02: Samples"
ADVICE = "03: The usual advice, put to the test"
DEPTH = "04: Features by depth"
LOSS = "05: Softmax and cross-entropy"
START = "05: The scale of the start"
BACKPROPAGATION = "05: Backpropagation, derived"
OPTIMISERS = "05: Three optimisers"
MISTAKES = "06: Two mistakes that look like success"
NOISE = "07: Removing noise"
MEANS = "07: Means or draws"
TWENTY = "07: Why twenty images seem to be enough"
LAYERS = "00: Training, layer by layer"

Arrays = tuple[np.ndarray, ...]


def refuse_changes(answer: Answer) -> None:
    """StudentError where the call changed its arguments."""
    if answer.changed:
        names = ", ".join(answer.changed)
        raise answer.wrong(
            f"changes its argument {names}",
            expected=f"{names} as it was before the call",
            misconception="The arguments belong to the caller. Work on copies.",
        )


def of_two(answer: Answer, number: int, shape: tuple[int, ...]) -> Answer:
    """The answer with one part of its pair for its value."""
    answer.array(shape, number, 2)
    return replace(answer, value=answer.value[number])


# ---- images and labels

N, N_TRAIN = 400, 150
#: A number of a random order differs from its mean by more less often than once in 10⁸ runs: of
#: ascents by Bernstein's inequality (it is a sum of independent numbers 0 or 1), of those drawn
#: from a half by Hoeffding's.
FAR = 40


@pytest.mark.exercise(
    "split",
    points=2,
    hints=(
        "Give each image a label by which you know it again: images with the pixels i, i and the "
        "label i. Split them, and look at both parts.",
        "One part is sound and the other is not. Which lines treat the two differently?",
        "order is random already, so both parts are in random order once they are cut. After that "
        "nothing may move images without their labels.",
    ),
    see=MISTAKES,
)
def test_split_keeps_each_label_with_its_image(student, inputs):
    """In both parts the label of each image is its own.

    Each image is in one of them, once, and the order is random.
    """
    ids = np.arange(N)
    images = np.column_stack([ids, ids + inputs.integers(1, 9)]).astype(float)
    labels = 1000 + ids  # a label says which image it belongs to

    def call(seed: Seed) -> Answer:
        return student.call("split", images=images, labels=labels, n_train=N_TRAIN, rng=seed)

    answer = call(Seed(int(inputs.integers(2**31))))
    found = [
        (answer.array((n, 2), 2 * which, 4), answer.array((n,), 2 * which + 1, 4))
        for which, n in enumerate((N_TRAIN, N - N_TRAIN))
    ]
    seen = np.concatenate([part_images for part_images, _ in found])
    if not np.array_equal(seen[np.argsort(seen[:, 0], kind="stable")], images):
        n_missing = N - len(np.unique(seen[:, 0]))
        raise answer.wrong(
            "does not give each image once",
            expected=f"each of the {N} images in one of the parts, as it was given",
            details=f"{n_missing} images are in none",
            misconception="Some images are in both parts, or twice in one: what is tested on must "
            "not be trained on." * (n_missing > 0),
        )
    n_paired = [int((held[:, 0] + 1000 == of).sum()) for held, of in found]
    if n_paired != [N_TRAIN, N - N_TRAIN]:
        broken = [n_paired[0] < N_TRAIN, n_paired[1] < N - N_TRAIN]
        which = {
            (True, False): "In the training part the images and the labels are in different "
            "orders. In the test part they belong together.",
            (False, True): "In the test part the images and the labels are in different orders. "
            "In the training part they belong together.",
            (True, True): "In both parts the images and the labels are in different orders.",
        }
        raise answer.wrong(
            "gives images that have lost their labels",
            expected="each image with the label that it came with",
            details=f"{n_paired[0]} of {N_TRAIN} training images and {n_paired[1]} of "
            f"{N - N_TRAIN} test images have their own label",
            misconception=which[tuple(broken)],
        )
    refuse_changes(answer)
    orders = [held[:, 0] for held, _ in found]
    n_ascents = [int((np.diff(order) > 0).sum()) for order in orders]
    n_first = int((orders[0] < N // 2).sum())
    not_drawn = abs(n_first - N_TRAIN / 2) > FAR
    in_order = [abs(n - len(o) / 2) > FAR for n, o in zip(n_ascents, orders, strict=True)]
    if not_drawn or any(in_order):
        who = {
            (True, False): "the training part is",
            (False, True): "the test part is",
            (True, True): "both parts are",
        }
        sentence = (
            "Which images are trained on is not drawn: data often come sorted, by class for "
            "example, and then the parts have different classes."
            if not_drawn
            else f"Which images are trained on is drawn; {who[tuple(in_order)]} still in the order "
            "in which the images came. Each part is to be in random order."
        )
        raise answer.wrong(
            "does not shuffle",
            expected="both parts in random order",
            details=f"{n_first} of the {N_TRAIN} training images are from the first half",
            misconception=sentence,
        )
    judge_randomness(call, (N_TRAIN,), part=1, n_parts=4)


@pytest.mark.exercise(
    "held_out_error",
    points=2,
    hints=(
        "Call it with random labels, which nothing can predict. What is the error of ten equally "
        "likely classes, if one can only guess? What comes back?",
        "Print, for one held-out image, which image was found nearest to it, and how near it is. "
        "Who was asked, and who should have been?",
        "known = np.delete(np.arange(len(images)), rows): search among images[known] only, and "
        "take the label from labels[known].",
    ),
    see=MISTAKES,
)
def test_held_out_images_are_predicted_from_the_others_alone(student, inputs):
    """Random labels cannot be predicted: an image that nobody has seen is often given a wrong one.

    Many images come in pairs of near ones with the same label, so it matters who is known.
    """
    n_pairs, n_single, n_test = 80, 320, 240
    n = 2 * n_pairs + n_single
    kind = np.concatenate(
        [np.repeat(np.arange(n_pairs), 2), np.arange(n_pairs, n_pairs + n_single)]
    )
    kind = inputs.permutation(kind)
    images = 100 * inputs.random((n_pairs + n_single, 2))[kind] + 0.001 * np.arange(n)[:, None]
    labels = inputs.integers(0, 10, n_pairs + n_single)[kind]

    def call(seed: Seed) -> Answer:
        return student.call("held_out_error", images=images, labels=labels, n_test=n_test, rng=seed)

    answer = call(Seed(int(inputs.integers(2**31))))
    rows = answer.array((n_test,), 0, 2)
    if not np.isin(rows, np.arange(n)).all():
        raise answer.wrong("gives rows that are none", expected=f"numbers from 0 to {n - 1}")
    if len(np.unique(rows)) < n_test:
        raise answer.wrong(
            "holds images out more than once",
            expected=f"{n_test} different rows",
            misconception="The rows are drawn with replacement. They are to be different.",
        )
    rows = rows.astype(int)
    known = np.setdiff1d(np.arange(n), rows)
    squared = ((images[rows][:, None] - images[None]) ** 2).sum(axis=2)
    others = squared.copy()
    others[np.arange(n_test), rows] = np.inf
    among = squared[:, known].argmin(axis=1)
    own = labels[rows]

    def share(given: np.ndarray) -> float:
        return float((given != own).mean())

    right = share(labels[known][among])
    expect(
        of_two(answer, 1, ()),
        right=right,
        misconceptions={
            "The error is 0, and would be with any labels: every held-out image is compared with "
            "itself too.": 0.0,
            "A held-out image is not compared with itself any more, but still with other held-out "
            "ones, which are as unknown.": share(labels[others.argmin(axis=1)]),
            "The number of the nearest among the known images is taken for a number among all "
            "images: the label is that of another one.": share(labels[among]),
            "This is the share that is given the right label.": 1 - right,
            "This is a number of images. The share is asked for.": n_test * right,
            "This is divided by the number of all images, and not by that of the held-out ones.": (
                right * n_test / n
            ),
            "This is in percent. The share is a number from 0 to 1.": 100 * right,
        },
    )
    refuse_changes(answer)
    judge_randomness(call, (n_test,), part=0, n_parts=2)


@pytest.mark.exercise(
    "noisy_copies",
    points=2,
    hints=(
        "Call it twice in a row, each time with a new np.random.default_rng(1). Then start Python "
        "again and call it once.",
        "Two things are drawn: which image, and which pixels flip. Fix one of them (a single "
        "image; share=0) to see which of the two is not the same again.",
        "Everything that is drawn is to be drawn from the argument rng. Who else draws?",
    ),
    see=NOISE,
)
def test_noisy_copies_depend_on_nothing_but_the_generator(student, inputs):
    """Equal generators give equal copies, in whatever call.

    Each pixel flips with the probability `share`.
    """
    images = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    # pixels in another order, some of them black for white: copies made before are of other images
    images = np.abs(images[:, inputs.permutation(3)] - inputs.integers(0, 2, size=3))
    share = float(np.round(inputs.uniform(0.12, 0.2), 2))

    def call(seed: Seed, images: np.ndarray, share: float, n: int) -> Answer:
        return student.call("noisy_copies", images=images, n_copies=n, share=share, rng=seed)

    judge_randomness(lambda seed: call(seed, images[:1], 0.5, 30), (30, 3))
    judge_randomness(lambda seed: call(seed, images, 0.0, 30), (30, 3))
    n = 20_000
    of_flips = states(3).sum(axis=1)

    def flipped(share: float) -> np.ndarray:
        """Probability of each state of a copy: the mean over the images."""
        p = share**of_flips * (1 - share) ** (3 - of_flips)
        powers = np.array([4, 2, 1])
        numbers_of = [(np.abs(states(3) - image) @ powers).astype(int) for image in images]
        return np.mean([p[each] for each in numbers_of], axis=0)

    whole_row = np.zeros(8)
    for image in images:
        for flip, p in ((0, 1 - share), (1, share)):
            whole_row[int(np.abs(image - flip) @ [4, 2, 1])] += p / 3
    expect_draws(
        call(Seed(int(inputs.integers(2**31))), images, share, n),
        flipped(share),
        n_draws=n,
        misconceptions={
            "All pixels of a copy flip together, or none. Each is to be drawn for itself.": (
                whole_row
            ),
            "Nothing is flipped.": flipped(0.0),
            "A pixel stays with the probability `share` here. It is to flip with it.": flipped(
                1 - share
            ),
        },
    )


# ---- networks

EDGES = np.array([0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5])
EDGES = np.concatenate([-EDGES[::-1], [0.0], EDGES])


@pytest.mark.exercise(
    "start_weights",
    points=2,
    hints=(
        "Send random inputs through ten layers of 10 units, and through ten layers of 1000. Print "
        "np.mean(a**2) behind each layer.",
        "A field is a sum of n_in products. By what factor does its mean square grow when there "
        "are four times as many inputs? And the rectifier sets half of the units to 0.",
        "The mean square of a layer's output is ½ · n_in · variance · the mean square of its "
        "input. Which variance makes the factor 1?",
    ),
    see=START,
)
def test_start_weights_keep_the_size_of_activations_in_any_layer(student, inputs):
    """A layer of rectified units hands on the mean square of its input, however wide it is."""
    sizes = [10, int(inputs.integers(380, 421)), int(inputs.integers(55, 66)), 30]
    shapes = [(sizes[n], sizes[n + 1]) for n in range(3)]

    def call(seed: Seed) -> Answer:
        return student.call("start_weights", sizes=sizes, rng=seed)

    answer = call(Seed(int(inputs.integers(2**31))))
    found = [answer.array(shape, number, 3) for number, shape in enumerate(shapes)]
    he = [np.sqrt(2 / n_in) for n_in, _ in shapes]

    def all_fit(cumulative: Callable[[np.ndarray], np.ndarray], deviations: list[float]) -> bool:
        p = np.diff(np.concatenate([[0.0], cumulative(EDGES), [1.0]]))
        with np.errstate(all="ignore"):  # a wrong answer may be of any size
            places = [
                np.searchsorted(EDGES, W.ravel() / s)
                for W, s in zip(found, deviations, strict=True)
            ]
        return all(fits(np.bincount(each, minlength=len(p)), p) for each in places)

    known = {
        "The deviation is 0.1 in each layer, whatever its width.": [0.1] * 3,
        "The deviation is 1 in each layer, whatever its width.": [1.0] * 3,
        "The variance is 1/n_in. That is right for units that hand on their field; a rectifier "
        "takes half of it away.": [np.sqrt(1 / n) for n, _ in shapes],
        "2/n_in is the variance. The deviation is its root.": [2 / n for n, _ in shapes],
        "1/n_in is taken for the deviation.": [1 / n for n, _ in shapes],
        "The width above is used, √(2/n_out). What adds up in a field are the units below.": [
            np.sqrt(2 / n) for _, n in shapes
        ],
        "This is √(2/(n_in + n_out)), a compromise for the way up and down with units that are "
        "not rectified.": [np.sqrt(2 / (n + m)) for n, m in shapes],
        "The factor 0.1 is still there, beside the new one.": [0.1 * s for s in he],
        "All layers have the deviation of the first. Each has a width of its own.": [he[0]] * 3,
        "The larger the width, the larger are the weights here. It is the other way round.": [
            np.sqrt(n / 2) for n, _ in shapes
        ],
    }
    if not all_fit(ndtr, he):
        named = next((text for text, s in known.items() if all_fit(ndtr, s)), "")
        root = np.sqrt(3)
        if not named and all_fit(lambda z: np.clip((z + root) / (2 * root), 0, 1), he):
            named = "The size is right, and the draws are uniform. Normal ones are asked for."
        with np.errstate(all="ignore"):
            sizes_found = ", ".join(f"{W.std():.3g}" for W in found)
        raise answer.wrong(
            "gives weights of another size",
            expected="normal draws that keep the mean square from layer to layer",
            details=f"the standard deviations are {sizes_found}",
            misconception=named,
        )
    judge_randomness(call, shapes[0], part=0, n_parts=3)


ACTIVATIONS = {"relu": lambda z: np.maximum(0, z), "tanh": np.tanh, "sigmoid": sigmoid}


def network(inputs: np.random.Generator) -> tuple[np.ndarray, Arrays]:
    """Four examples, and three layers of three units each, not far from 0."""
    layers = [numbers(inputs, *shape) for _ in range(3) for shape in ((3, 3), (3,))]
    return numbers(inputs, 4, 3), tuple(layers)


NAMES = ("W1", "b1", "W2", "b2", "W3", "b3")


def look(x: np.ndarray, layers: Arrays, n_layers: int, activation: str) -> np.ndarray:
    """The activations after so many of the layers."""
    for n in range(n_layers):
        x = ACTIVATIONS[activation](x @ layers[2 * n] + layers[2 * n + 1])
    return x


@pytest.mark.exercise(
    "layer_activations",
    hints=(
        "Give the three layers different numbers of units, and look at the shape that comes back "
        "for layer 1, 2 and 3. Then try all three names, on fields of both signs.",
        'Two things are wrong. Which layers are in layers[: layer + 1], if layer is 1? And `"relu" '
        'is "".join(["re", "lu"])`: what does Python say?',
        "layers[:layer] are the first `layer` ones. `is` asks whether two names mean one object; "
        "`==` asks whether two texts read the same.",
    ),
    see=DEPTH,
)
def test_layer_activations_are_of_the_layer_that_was_asked_for(student, inputs):
    """Layer 1 is the one right above the input, and layer 3 the last."""
    x, layers = network(inputs)
    of = [look(x, layers, n, "sigmoid") for n in range(4)]
    named = dict(zip(NAMES, layers, strict=True))
    for layer in (2, 1, 3):
        alone = sigmoid(x @ layers[2 * layer - 2] + layers[2 * layer - 1])
        wrong = {
            f"This is layer {other}, and layer {layer} was asked for. (Layer 0 would be the "
            "input.)": of[other]
            for other in range(4)
            if other != layer
        }
        wrong["The layers below are left out: the input goes straight into this one."] = alone
        expect(
            student.call("layer_activations", x=x, **named, layer=layer, activation="sigmoid"),
            right=of[layer],
            misconceptions=wrong,
        )


@pytest.mark.exercise("layer_activations", see=DEPTH)
def test_layer_activations_are_of_the_function_that_was_named(student, inputs):
    """The name of f may come from a file or a keyboard: what it reads decides."""

    def clear(found: tuple[np.ndarray, Arrays]) -> bool:
        # Rectified units that are on, and some that are off.
        x, layers = found
        last = look(x, layers, 3, "relu")
        return (last > 0.1).any() and (last == 0).any() and (look(x, layers, 2, "relu") > 0).any()

    x, layers = first_good(lambda: network(inputs), clear)
    named = dict(zip(NAMES, layers, strict=True))
    for name in ("relu", "tanh"):
        wrong = {
            f"These are activations of {other!r}. The name was {name!r}, and it was put together "
            "while the program ran.": look(x, layers, 3, other)
            for other in ACTIVATIONS
            if other != name
        }
        text = "".join(list(name))  # equal to the name, and another object
        expect(
            student.call("layer_activations", x=x, **named, layer=3, activation=text),
            right=look(x, layers, 3, name),
            misconceptions=wrong,
        )


@pytest.mark.exercise(
    "log_loss",
    points=2,
    hints=(
        "Call it with np.errstate(all='raise') around, for fields of 1, 10, 100, 1000, and targets "
        "of 0 and 1. Where does it break, and in which line?",
        "There are two traps: exp of something large, and log of a p that has become 0 or 1. A "
        "small number added to p hides the second, and makes the loss wrong.",
        "−log σ(z) = log(1 + exp(−z)), and np.logaddexp(0, x) is log(1 + exp(x)) for any x. The "
        "loss needs no p.",
    ),
    see=LOSS,
)
def test_log_loss_is_exact_for_any_field(student, inputs):
    """A field of 10,000 with the target 0 costs 10,000 nats; small fields cost what they should."""
    large = inputs.permutation([1e4, -1e4, 40.0, -40.0])
    z = np.vstack([numbers(inputs, 4), large])
    t = np.vstack([inputs.permutation([0.0, 1.0, 0.25, 1.0]), large < 0])
    answer = student.call("log_loss", z=z, t=t)
    right = float((softplus(z) - t * z).mean())
    value = as_numbers(answer.value)
    if value is not None and not np.isfinite(value).all():
        raise answer.wrong(
            "gives NaN or infinity",
            expected=f"a number\n{right:.6g}",
            misconception="Either a p has come out as 0 or 1, and has no finite log p and "
            "log(1 − p): fields of 40 are enough for that. Or the exponential of a field of 10,000 "
            "was taken, which is no float.",
        )
    known = {
        "This is the sum over all entries. The mean is asked for.": z.size * right,
        "The sign is turned round: log p is negative, and a loss is to be made small.": -right,
        "The targets are turned round: t goes with log p, and 1 − t with log(1 − p).": float(
            (softplus(z) - (1 - t) * z).mean()
        ),
        "This is a sum over the columns, and a mean over the rows. The mean over all entries is "
        "asked for.": float((softplus(z) - t * z).sum(axis=1).mean()),
    }
    if value is not None and value.shape == () and 0 < value < right - 1:
        known[
            "The loss is finite, and too small: something cuts off p or z, or is added to p. What "
            "is wrong by far then costs hardly more than what is a little wrong."
        ] = float(value)
    expect(answer, right=right, misconceptions=known)


def slopes_of(
    x: np.ndarray,
    t: np.ndarray,
    layers: Arrays,
    *,
    own: tuple[bool, bool] = (True, True),
    passed: int = 1,
    slope: Callable[[np.ndarray], np.ndarray] = lambda a: a * (1 - a),
    top: bool = False,
) -> Arrays:
    """Backpropagation with a choice of errors.

    `own` says which hidden layers' gradients have their own σ', `passed` how often that of the
    second is in what is passed on to the first, `slope` what is taken for it, and `top` whether the
    output has one too.
    """
    a1, a2, y = (look(x, layers, n, "sigmoid") for n in (1, 2, 3))
    error3 = (y - t) / len(x)
    if top:
        error3 = error3 * slope(y)
    error2 = error3 @ layers[4].T
    error1 = (error2 * slope(a2) ** passed) @ layers[2].T
    if own[1]:
        error2 = error2 * slope(a2)
    if own[0]:
        error1 = error1 * slope(a1)
    return (
        *(x.T @ error1, error1.sum(axis=0)),
        *(a1.T @ error2, error2.sum(axis=0)),
        *(a2.T @ error3, error3.sum(axis=0)),
    )


def by_trial(x: np.ndarray, t: np.ndarray, layers: Arrays) -> Arrays:
    """The slopes of the loss, from nothing but the loss."""
    layers = tuple(each.copy() for each in layers)

    def loss() -> float:
        z = look(x, layers, 2, "sigmoid") @ layers[4] + layers[5]
        return float((softplus(z) - t * z).sum(axis=1).mean())

    return tuple(
        np.array([central_difference(loss, each, n) for n in range(each.size)]).reshape(each.shape)
        for each in layers
    )


@pytest.mark.exercise(
    "backward",
    points=3,
    hints=(
        "Hold each of the six against a slope by trial: move one weight by ±1e-5 and see what the "
        "loss does. Which are right, which not, and by what factor?",
        "The output layer is right, the hidden ones are several times too large. δ of a layer is "
        "the slope of the loss in its field, and not in its activation. What lies between them?",
        "δ² = (δ³ W³') ∘ a²(1 − a²) and δ¹ = (δ² W²') ∘ a¹(1 − a¹). Each factor comes once, in the "
        "layer's own gradients and in what is passed on.",
    ),
    see=BACKPROPAGATION,
)
def test_backward_gives_the_slopes_of_the_loss(student, inputs):
    """Each of the six agrees with what the loss does when a parameter is moved a little."""
    x, layers = network(inputs)
    t = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    right = by_trial(x, t, layers)
    weights_only = slopes_of(x, t, layers)
    missing = slopes_of(x, t, layers, own=(False, False))
    expect(
        student.call("backward", x=x, t=t, **dict(zip(NAMES, layers, strict=True))),
        right=right,
        misconceptions={
            "The output layer is right. In both hidden layers the gradients are too large: they "
            "are slopes in the activations, and not in the fields.": missing,
            "The first hidden layer's gradients are still too large; the second is right now.": (
                slopes_of(x, t, layers, own=(False, True))
            ),
            "The second hidden layer's gradients are still too large; the first is right now.": (
                slopes_of(x, t, layers, own=(True, False))
            ),
            "The second hidden layer's σ' reaches the first one twice: once is enough on the "
            "way.": slopes_of(x, t, layers, passed=2),
            "The second hidden layer's σ' reaches the first one twice, and the first one's own is "
            "missing.": slopes_of(x, t, layers, passed=2, own=(False, True)),
            "The second hidden layer's σ' does not reach the first one any more.": (
                slopes_of(x, t, layers, passed=0)
            ),
            "The weights are right now. The biases of the hidden layers are not.": tuple(
                bias if number in (1, 3) else weight
                for number, (weight, bias) in enumerate(zip(weights_only, missing, strict=True))
            ),
            "σ' = a(1 − a) is taken of the activation as if that were a field: a is σ(z) "
            "already.": slopes_of(x, t, layers, slope=lambda a: sigmoid(a) * (1 - sigmoid(a))),
            "The output layer was right: with this loss its δ is y − t, and σ' cancels. Now it has "
            "one too many.": slopes_of(x, t, layers, top=True),
            "The sum over the rows is no mean any more: the output's error was right.": tuple(
                len(x) * each for each in right
            ),
        },
        atol=1e-8,
        rtol=1e-4,
    )


def logistic_epoch(
    x: np.ndarray,
    t: np.ndarray,
    w: np.ndarray,
    rate: float,
    batch_size: int,
    divide: Callable[[int], float] = lambda n: n,
) -> tuple[np.ndarray, list[float]]:
    """The new w, and the sum of each batch's losses; `divide` is what a sum of slopes is over."""
    sums = []
    for start in range(0, len(x), batch_size):
        rows = slice(start, start + batch_size)
        z = x[rows] @ w
        sums.append(float((softplus(z) - t[rows] * z).sum()))
        w = w - rate * (sigmoid(z) - t[rows]) @ x[rows] / divide(len(z))
    return w, sums


def epoch_of(inputs: np.random.Generator) -> dict:
    """Seven rows, in minibatches of three: the last has one."""
    return {
        "x": numbers(inputs, 7, 2),
        "t": inputs.permutation([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0]),
        "w": numbers(inputs, 2),
        "rate": 0.5,
        "batch_size": 3,
    }


@pytest.mark.exercise(
    "epoch",
    hints=(
        "Take seven rows in minibatches of three, then seven in minibatches of seven. What is the "
        "loss of w = 0, which is log 2 for each row? And how far does the last step go?",
        "Two numbers of rows are wrong: one divides the last step, the other the loss. Print both.",
        "The last minibatch has len(z) rows. And `start` is where the last minibatch begins, which "
        "is no number of rows that anybody asked for.",
    ),
    see=OPTIMISERS,
)
def test_epoch_takes_the_mean_over_the_rows_of_each_minibatch(student, inputs):
    """Each row of a short last minibatch weighs more, since it shares the step with fewer."""
    given = epoch_of(inputs)
    right, _ = logistic_epoch(**given)
    n = given["batch_size"]
    first = {**given, "x": given["x"][:6], "t": given["t"][:6]}
    expect(
        of_two(student.call("epoch", **given), 0, (2,)),
        right=right,
        misconceptions={
            "The step of the short last minibatch is too small. The others are right.": (
                logistic_epoch(**given, divide=lambda rows: n)[0]
            ),
            "These are sums over the rows of a minibatch. The mean is asked for.": (
                logistic_epoch(**given, divide=lambda rows: 1)[0]
            ),
            "The slopes are divided by the number of all rows. Each step has its own minibatch.": (
                logistic_epoch(**given, divide=lambda rows: 7)[0]
            ),
            "The short last minibatch is left out. Its rows count too.": logistic_epoch(**first)[0],
        },
    )


@pytest.mark.exercise("epoch", see=OPTIMISERS)
def test_epoch_reports_the_mean_loss_of_all_rows(student, inputs):
    """Where w = 0 costs each row log 2, the loss is log 2, however the rows are cut."""
    given = epoch_of(inputs)
    w, sums = logistic_epoch(**given)
    nominal, _ = logistic_epoch(**given, divide=lambda rows: 3)
    x, t = given["x"], given["t"]

    def loss(w: np.ndarray) -> float:
        return float((softplus(x @ w) - t * (x @ w)).mean())

    means = np.array(sums) / [3, 3, 1]
    expect(
        of_two(student.call("epoch", **given), 1, ()),
        right=sum(sums) / 7,
        misconceptions={
            "The loss is too large by a factor: 7 rows were summed up, and not divided by 7.": (
                sum(sums) / 6
            ),
            "This is the sum over the rows, divided by the number of minibatches.": sum(sums) / 3,
            "This is the mean of the minibatches' means. The single row of the last one counts as "
            "much as three others.": float(means.mean()),
            "This is the sum over all rows. The mean is asked for.": sum(sums),
            "This is the sum of the minibatches' means.": float(means.sum()),
            "This is divided by the number of minibatches times their size. The last one is "
            "shorter.": sum(sums) / 9,
            "This is the loss of the last minibatch only.": float(means[-1]),
            "This is the loss of all rows at the end of the epoch. Each row counts with what it "
            "cost before its own step.": loss(w),
            "This is the loss of all rows at the end of the epoch, whose last step is too small.": (
                loss(nominal)
            ),
            "This is the loss of all rows at the start of the epoch.": loss(given["w"]),
        },
    )


@pytest.mark.exercise(
    "fit_with_decay",
    points=2,
    hints=(
        "Let it run for 10,000 steps from w = 0 and from w = 5, with a strong decay and with none. "
        "On what does the end depend, and on what should it?",
        "Decay is to act in each step: it is part of the slope. Where does it act here?",
        "The slope of ½ decay Σw² is decay · w. It belongs beside the slope of the error, at the "
        "same w, in the same step; the bias has none.",
    ),
    see=ADVICE,
)
def test_weight_decay_is_part_of_every_step(student, inputs):
    """Where it ends depends on the strength of decay, and not on how large the weights began."""
    x, y, w, b = numbers(inputs, 5, 2), numbers(inputs, 5), numbers(inputs, 2, size=2.0), 0.7
    n_steps, rate, decay = 3, 0.1, 0.8

    def fit(
        step: Callable[[np.ndarray, np.ndarray], np.ndarray],
        first: float = 1.0,
        last: float = 1.0,
        of_bias: float = 0.0,
    ) -> tuple[np.ndarray, float]:
        """`step(w, slope)` is the new w; first and last are factors before and after all steps."""
        here, bias = first * w, b
        for _ in range(n_steps):
            error = x @ here + bias - y
            here, bias = (
                step(here, x.T @ error / len(x)),
                bias - rate * (error.mean() + of_bias * bias),
            )
        return last * here, bias

    def shrunk_first() -> tuple[np.ndarray, float]:
        here, bias = w, b
        for _ in range(n_steps):
            here = (1 - rate * decay) * here
            error = x @ here + bias - y
            here, bias = here - rate * x.T @ error / len(x), bias - rate * error.mean()
        return here, bias

    keep = 1 - rate * decay
    expect(
        student.call("fit_with_decay", x=x, y=y, w=w, b=b, n_steps=n_steps, rate=rate, decay=decay),
        right=fit(lambda w, g: w - rate * (g + decay * w)),
        misconceptions={
            "The weights begin smaller, and then nothing holds them.": fit(
                lambda w, g: w - rate * g, first=keep
            ),
            "The weights are made smaller once, at the end.": fit(
                lambda w, g: w - rate * g, last=keep
            ),
            "There is no decay at all any more.": fit(lambda w, g: w - rate * g),
            "There is decay in each step, and the smaller start is still there too.": fit(
                lambda w, g: w - rate * (g + decay * w), first=keep
            ),
            "Decay acts in each step, but the error is taken at weights that have been shrunk "
            "already. Both slopes belong to the same w.": shrunk_first(),
            "Decay acts in each step, but after the other part of it: it shrinks what the step has "
            "just made. Both slopes belong to the same w.": fit(lambda w, g: keep * (w - rate * g)),
            "Decay acts in each step, without the learning rate.": fit(
                lambda w, g: w - rate * g - decay * w
            ),
            "The bias decays too. Only the weights should.": fit(
                lambda w, g: w - rate * (g + decay * w), of_bias=decay
            ),
            "Decay makes the weights larger: its sign is turned round.": fit(
                lambda w, g: w - rate * (g - decay * w)
            ),
            "Decay is twice as strong: the slope of ½ decay Σw² is decay · w.": fit(
                lambda w, g: w - rate * (g + 2 * decay * w)
            ),
        },
    )


# ---- Boltzmann machines


def states(n_units: int) -> np.ndarray:
    """All states, the last unit being the least significant."""
    return np.array([[n >> k & 1 for k in range(n_units - 1, -1, -1)] for n in range(2**n_units)])


def ascend(
    x: np.ndarray,
    J: np.ndarray,
    b: np.ndarray,
    n_steps: int,
    rate: float,
    *,
    move: tuple[float, float] = (1.0, 1.0),
    diagonal: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Steps of exact maximum likelihood; `move` says how far J and b go, of what they should."""
    S = states(len(b))
    for _ in range(n_steps):
        p = np.exp((S @ J * S).sum(axis=1) / 2 + S @ b)
        p = p / p.sum()
        slope_J = x.T @ x / len(x) - (S * p[:, None]).T @ S
        if not diagonal:
            np.fill_diagonal(slope_J, 0.0)
        J, b = J + move[0] * rate * slope_J, b + move[1] * rate * (x.mean(axis=0) - p @ S)
    return J, b


@pytest.mark.exercise(
    "train_boltzmann",
    points=2,
    hints=(
        "Take one step with a large rate, and compare J and b before and after.",
        "The slopes are right: print them. What becomes of the sum that is computed in the last "
        "line of the loop?",
        "`parameter = …` gives a new array to the loop's own name, and the list keeps the old one. "
        "Make a new list. (`parameter += …` would change the caller's arrays.)",
    ),
    see=RULE,
)
def test_train_boltzmann_moves_both_parameters_in_every_step(student, inputs):
    """After a few steps J and b are where exact gradient ascent leads."""
    J = np.triu(numbers(inputs, 3, 3), 1)
    J, b = J + J.T, numbers(inputs, 3)
    # No pair and no unit is on as often as the model has it, so that all parameters move.
    x = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    n_steps, rate = 3, 0.5
    given = {"x": x, "J": J, "b": b, "n_steps": n_steps, "rate": rate}
    expect(
        student.call("train_boltzmann", **given),
        right=ascend(**given),
        misconceptions={
            "J and b come back as they were given: nothing has been learned.": (J, b),
            "J has moved, and b is where it was.": ascend(**given, move=(1.0, 0.0)),
            "b has moved, and J is where it was.": ascend(**given, move=(0.0, 1.0)),
            "This is where one step leads: each begins where the first one did.": ascend(
                **(given | {"n_steps": 1})
            ),
            "Each step begins where the first one did: the slopes are always those of the start.": (
                ascend(**(given | {"n_steps": 1, "rate": n_steps * rate}))
            ),
            "The steps lead downhill: the sign is turned round.": ascend(
                **(given | {"rate": -rate})
            ),
            "The learning rate is left out.": ascend(**(given | {"rate": 1.0})),
            "The learning rate is used twice.": ascend(**(given | {"rate": rate**2})),
            "The diagonal of J has moved: it is to stay 0.": ascend(**given, diagonal=True),
        },
    )


def on(p: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Probability of each state in `of`, for each row of independent probabilities of being 1."""
    return np.where(of == 1, p[:, None, :], 1 - p[:, None, :]).prod(axis=2)


@pytest.mark.exercise(
    "gibbs_chain",
    points=3,
    hints=(
        "Print what comes back. Which values should be in v, and which in h?",
        "A hidden unit says 0 or 1 to the units below; a number between says more than a state "
        "can. Which of the two layers is drawn here?",
        "Draw h with `draw`, before v is drawn from it; and return that h, and no other.",
    ),
    see=SAMPLES,
)
def test_gibbs_chain_draws_both_layers(student, inputs):
    """v and h are states, and come together as often as two steps of block Gibbs sampling say."""
    n, n_steps, start = 20_000, 2, 5
    rbm, known = first_good(lambda: chain_ends(inputs, start, n_steps), lambda found: far(found[1]))
    right, *wrong = known
    v = np.tile(states(3)[start].astype(float), (n, 1))

    def call(seed: Seed, v: np.ndarray = v) -> Answer:
        return student.call("gibbs_chain", v=v, **rbm, n_steps=n_steps, rng=seed)

    answer = call(Seed(int(inputs.integers(2**31))))
    found = [answer.array((n, width), number, 2) for number, width in enumerate((3, 2))]
    for name, values in zip("vh", found, strict=True):
        if not np.isin(values, (0, 1)).all():
            raise answer.wrong(
                f"gives {name} that is no state",
                expected="0 and 1 in both layers",
                misconception=f"{name} comes back as probabilities. A state is 0 or 1.",
            )
    sentences = (
        "The h that comes back is drawn; but v is still drawn from the probabilities of h.",
        "The h that comes back is drawn once more, from the v at the end. It is to be the one that "
        "v was drawn from.",
        "h is rounded: 1 where its probability is above ½. It is to be drawn. (Or do all chains "
        "share random numbers? Each wants its own.)",
        "All hidden units of a chain share one random number. Each is to have its own.",
        "This is one step less than asked for.",
        "This is one step more than asked for.",
    )
    expect_draws(
        replace(answer, value=np.hstack(found)),
        right,
        n_draws=n,
        misconceptions=dict(zip(sentences, wrong, strict=True)),
    )
    judge_randomness(lambda seed: call(seed, v[:30]), (30, 3), 0, 2)
    judge_randomness(lambda seed: call(seed, v[:30]), (30, 2), 1, 2)


def chain_ends(
    inputs: np.random.Generator, start: int, n_steps: int
) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """An RBM, and the probability of each (v, h) at the end of a chain: right, and thought wrongly.

    Its weights are large, with biases that make up for them: it matters whether h is drawn.
    """
    W, b, c = numbers(inputs, 3, 2, size=2.5), numbers(inputs, 3), numbers(inputs, 2)
    b, c = np.round(b - W.sum(axis=1) / 2, 2), np.round(c - W.sum(axis=0) / 2, 2)
    V, H = states(3), states(2)
    means = sigmoid(V @ W + c)
    up, down = on(means, H), on(sigmoid(H @ W.T + b), V)

    def ends(up: np.ndarray, n_steps: int = n_steps) -> np.ndarray:
        """For each v and h, with this probability of h given v."""
        p = np.eye(8)[start]
        for _ in range(n_steps):
            both = (p @ up)[:, None] * down
            p = both.sum(axis=0)
        return both.T

    of_means = on(sigmoid(means @ W.T + b), V)
    before = np.linalg.matrix_power(of_means, n_steps - 1)[start]
    found = [
        ends(up),
        np.einsum("i,ij,ik->jk", before, of_means, up),
        ends(up).sum(axis=1, keepdims=True) * up,
        ends(on((means > 0.5).astype(float), H)),
        ends(shared(means, H)),
        ends(up, n_steps - 1),
        ends(up, n_steps + 1),
    ]
    return {"W": W, "b": b, "c": c}, [each.ravel() for each in found]


def far(distributions: list[np.ndarray]) -> bool:
    """Whether draws tell each of these from each other."""
    pairs = combinations(distributions, 2)
    return all(np.abs(one - other).max() > 0.03 for one, other in pairs)


def shared(p: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Probability of each state in `of` where all units of a row compare p with one uniform u."""
    low = np.where(of == 0, p[:, None, :], 0).max(axis=2)  # u ≥ p of all units that are 0
    high = np.where(of == 1, p[:, None, :], 1).min(axis=2)  # u < p of all units that are 1
    return np.maximum(0, high - low)


def cd_step(v: np.ndarray, rbm: Arrays, rate: float) -> Arrays:
    """The helper `cd_step` of what was handed out."""
    W, b, c = rbm
    h = sigmoid(v @ W + c)
    back = sigmoid(h @ W.T + b)
    again = sigmoid(back @ W + c)
    return (
        W + rate * (v.T @ h - back.T @ again) / len(v),
        b + rate * (v - back).mean(axis=0),
        c + rate * (h - again).mean(axis=0),
    )


def taught(batches: list[np.ndarray], rbm: Arrays, rate: float) -> Arrays:
    """The machine after a step on each of these."""
    for batch in batches:
        rbm = cd_step(batch, rbm, rate)
    return rbm


@pytest.mark.exercise(
    "train_rbm",
    points=2,
    hints=(
        "Count the calls of cd_step in an epoch of 1000 rows in minibatches of 10. How many should "
        "there be?",
        "Print n_batches. What does `//` divide by what here?",
        "Rows start, …, start + batch_size − 1 are a minibatch, for start in range(0, len(v), "
        "batch_size). np.array_split cuts into parts of nearly the same size, which is not the "
        "same.",
    ),
    see=TWENTY,
)
def test_train_rbm_takes_a_step_for_each_minibatch(student, inputs):
    """An epoch has as many steps as minibatches, all of the size asked for but the last."""
    # Ten rows by four: equal parts, as many as there should be, are 4, 3 and 3 rows.
    v = states(3)[np.concatenate([inputs.permutation(8), [3, 6]])].astype(float)
    rbm = numbers(inputs, 3, 2), numbers(inputs, 3), numbers(inputs, 2)
    n_epochs, size, rate = 2, 4, 0.5
    batches = [v[start : start + size] for start in range(0, len(v), size)]
    given = {"n_epochs": n_epochs, "batch_size": size, "rate": rate}
    expect(
        student.call("train_rbm", v=v, W=rbm[0], b=rbm[1], c=rbm[2], **given),
        right=taught(n_epochs * batches, rbm, rate),
        misconceptions={
            "There is one step in an epoch: all rows are in one minibatch.": (
                taught(n_epochs * [v], rbm, rate)
            ),
            "The minibatches have other sizes than asked for: the rows are cut into nearly equal "
            "parts, too few of them.": taught(n_epochs * np.array_split(v, 2), rbm, rate),
            "There are as many minibatches as there should be, but the rows are cut into nearly "
            "equal parts. All have batch_size rows but for the last, which has what is left.": (
                taught(n_epochs * np.array_split(v, len(batches)), rbm, rate)
            ),
            "The last minibatch, which is shorter, is left out: its rows are never used.": (
                taught(n_epochs * batches[:-1], rbm, rate)
            ),
            "Only the first minibatch is ever used.": taught(n_epochs * batches[:1], rbm, rate),
            "Only the first minibatch is used, as often as there are minibatches.": (
                taught(n_epochs * len(batches) * batches[:1], rbm, rate)
            ),
            "batch_size is taken for the number of minibatches.": (
                taught(n_epochs * np.array_split(v, size), rbm, rate)
            ),
            "Each row is a minibatch of its own.": taught(n_epochs * list(v[:, None]), rbm, rate),
            "The rows are gone through once only.": taught(batches, rbm, rate),
            "There are as many steps as there should be, each on all rows.": (
                taught(n_epochs * len(batches) * [v], rbm, rate)
            ),
            "Every fourth row goes into the same minibatch. The rows are to be used in their "
            "order.": taught(n_epochs * [v[k::4] for k in range(4)], rbm, rate),
        },
    )


# ---- deep belief networks

STACK = ("W1", "b1", "c1", "W2", "b2", "c2")


def stack(inputs: np.random.Generator, size: float = 1.0) -> tuple[Arrays, Arrays]:
    """Two RBMs with 3, 3 and 2 units: the first layer's data fit into the second, too.

    Biases make up for the weights, so that no unit is all but certain.
    """
    found = []
    for shape in ((3, 3), (3, 2)):
        W, b, c = numbers(inputs, *shape, size=size), *(numbers(inputs, n) for n in shape)
        centred = np.round(b - W.sum(axis=1) / 2, 2), np.round(c - W.sum(axis=0) / 2, 2)
        found.append((W, *centred))
    return tuple(found)


@pytest.mark.exercise(
    "pretrain",
    points=2,
    hints=(
        "Give the first RBM 6 visible and 4 hidden units, and the second 4 and 2. What does Python "
        "say?",
        "Print the shape of what each RBM is trained on. `data` is computed: who uses it?",
        "The second RBM's visible units are the first one's hidden units: it is trained on `data`, "
        "which goes up once, when the first one is finished.",
    ),
    see=LAYERS,
)
def test_pretrain_hands_the_data_upward(student, inputs):
    """The second RBM learns what the hidden units of the first one say, once that is trained."""
    V = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    first, second = stack(inputs)
    n_steps, rate = 3, 0.5
    below = taught(n_steps * [V], first, rate)

    def up(rbm: Arrays, v: np.ndarray = V) -> np.ndarray:
        return sigmoid(v @ rbm[0] + rbm[2])

    def above(data: np.ndarray) -> Arrays:
        return taught(n_steps * [data], second, rate)

    at_once = [first, second]
    for _ in range(n_steps):
        at_once[0] = cd_step(V, at_once[0], rate)
        at_once[1] = cd_step(up(at_once[0]), at_once[1], rate)
    back = sigmoid(up(below) @ below[0].T + below[1])
    expect(
        student.call(
            "pretrain",
            v=V,
            **dict(zip(STACK, (*first, *second), strict=True)),
            n_steps=n_steps,
            rate=rate,
        ),
        right=(*below, *above(up(below))),
        misconceptions={
            "The first RBM is right. The second one has learned the images, like the first.": (
                (*below, *above(V))
            ),
            "The data go up through the first RBM as it was before its training.": (
                (*below, *above(up(first)))
            ),
            "The second RBM has learned what the first one makes of the images, down again: its "
            "visible means. Its hidden means are asked for.": (*below, *above(back)),
            "The second RBM has learned fields. The means are σ of them.": (
                (*below, *above(V @ below[0] + below[2]))
            ),
            "The hidden biases are left out on the way up.": (
                (*below, *above(sigmoid(V @ below[0])))
            ),
            "The means are rounded on the way up.": (*below, *above(1.0 * (up(below) > 0.5))),
            "Both are trained at the same time. The second one's turn is when the first one is "
            "finished.": (*at_once[0], *at_once[1]),
            "The second RBM has not been trained.": (*below, *second),
            "The first RBM has not been trained.": (*first, *above(up(first))),
        },
    )


@pytest.mark.exercise(
    "reconstruct",
    points=2,
    hints=(
        "Call it for an image, and look at the values. Are they probabilities?",
        "Four layers are passed: up, up, down, down. Which of them hand on their means?",
        "None does. Take every draw away, not only the last one; then no generator is left.",
    ),
    see=MEANS,
)
def test_reconstruct_hands_on_means_in_every_layer(student, inputs):
    """What comes back are means of means, in which nothing depends on chance."""
    # Large enough that a layer's states and its means lead to different images.
    first, second = stack(inputs, size=2.0)
    V = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])

    def up(v: np.ndarray, rbm: Arrays) -> np.ndarray:
        return sigmoid(v @ rbm[0] + rbm[2])

    def down(h: np.ndarray, rbm: Arrays) -> np.ndarray:
        return sigmoid(h @ rbm[0].T + rbm[1])

    h1 = up(V, first)
    h2 = up(h1, second)
    answer = student.call("reconstruct", v=V, **dict(zip(STACK, (*first, *second), strict=True)))
    value = as_numbers(answer.value)
    H1, H2 = states(3), states(2)
    known = {
        "This goes up through both layers, and down through the second only.": down(h2, second),
        "The second layer is left out: this is what the first one alone makes of the images.": (
            down(h1, first)
        ),
        "On the way down the hidden biases are used. A layer below has its own, b.": sigmoid(
            sigmoid(h2 @ second[0].T + second[1]) @ first[0].T + first[2]
        ),
    }
    if value is not None and value.shape == V.shape:
        rows_from = {
            "These are zeros and ones: the images are drawn, and so is perhaps more before them.": (
                H1
            ),
            "The images are means now. The layer above them still hands on states, zeros and ones, "
            "and not its means.": down(H1, first),
            "On the way down means are handed on. The top layer still hands on states, zeros and "
            "ones; look at the way up, too.": down(down(H2, second), first),
        }
        for sentence, possible in rows_from.items():
            far = np.abs(value[:, None] - possible[None]).max(axis=2).min(axis=1)
            if (far < 1e-6).all():
                known[sentence] = value
        drawn_up = down(down(up(H1, second), second), first)
        far = np.abs(value[:, None] - drawn_up[None]).max(axis=2).min(axis=1)
        if (far < 1e-6).all():
            known[
                "The first layer still hands up states, zeros and ones, and not its means. The "
                "rest hand on means."
            ] = value
    expect(answer, right=down(down(h2, second), first), misconceptions=known)
