"""What a learner must have understood about a network from scratch, one test a claim."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import ndtr

from dbnlib.finite_differences import central_difference
from dbnlib.losses import CategoricalCrossEntropy, one_hot
from dbnlib.network import Network
from dbnlib.optimisers import Adam
from dbnlib.units import Softmax, sigmoid, softplus
from exercises.grading import Seed, expect
from exercises.grading.drawing import first_good, judge_randomness, large
from exercises.grading.feedback import fits
from exercises.grading.student import Answer, Student, as_numbers

Y = np.array([2, 0, 1, 0])

# Sections of the notebook.
LAYER = "One layer"
LOSS = "Softmax and cross-entropy"
CHECK = "The gradient check"
START = "The scale of the start"
BACKPROPAGATION = "Backpropagation, derived"
OPTIMISERS = "Three optimisers"
MOONS = "Two moons"


def numbers(
    inputs: np.random.Generator, *shape: int, low: float = 0.4, high: float = 1.6
) -> np.ndarray:
    """Two digits each, of either sign, none of them near 0."""
    return np.round(inputs.choice([-1, 1], shape) * inputs.uniform(low, high, shape), 2)


def probabilities(z: np.ndarray) -> np.ndarray:
    """The softmax of each row."""
    return Softmax(z.shape[1]).mean(z)


def loss(z: np.ndarray, y: np.ndarray) -> float:
    """The cross-entropy of fields."""
    return CategoricalCrossEntropy().value(z, probabilities(z), one_hot("y", y, z.shape[1]))


def refuse_nan(answer: Answer, sentence: str) -> None:
    """StudentError with this sentence if a NaN or an infinity came back."""
    parts = answer.value if isinstance(answer.value, (tuple, list)) else [answer.value]
    arrays = [array for part in parts if (array := as_numbers(part)) is not None]
    if any(not np.isfinite(array).all() for array in arrays):
        raise answer.wrong(
            "gives NaN or infinity", expected="finite numbers", misconception=sentence
        )


# ---- forward


@pytest.mark.exercise(
    "relu_layer",
    hints=(
        "First the fields of all examples: one product, and the biases.",
        "z = x @ W + b; NumPy adds b to each row.",
        "np.maximum(0, z): entry by entry. (np.max is the largest entry of all.)",
    ),
    see=LAYER,
)
def test_relu_layer_is_the_positive_part_of_the_field(student, inputs):
    """a = max(0, xW + b), entry by entry."""
    z = -np.ones((4, 3))
    while (z > 0).sum() not in range(4, 9):
        x, W, b = numbers(inputs, 4, 3), numbers(inputs, 3, 3), numbers(inputs, 3)
        z = x @ W + b
    expect(
        student.call("relu_layer", x=x, W=W, b=b),
        right=np.maximum(0, z),
        misconceptions={
            "That is what comes out without the biases b.": np.maximum(0, x @ W),
            "This is the field z itself: max(0, z) is still to be taken.": z,
            "The biases are added after the rectifier. They belong to the field: max(0, xW + "
            "b).": np.maximum(0, x @ W) + b,
            "The weights are transposed: W is (units below, units), so the field is xW + b.": (
                np.maximum(0, x @ W.T + b)
            ),
            "This is a sigmoid. The rectifier is max(0, z).": sigmoid(z),
            "This is the derivative of the rectifier, 1 where z > 0. Its value is z there.": z > 0,
            "This is |z|. Negative fields become 0.": np.abs(z),
            "This is min(0, z): negative fields become 0, and not the positive ones.": (
                np.minimum(0, z)
            ),
            "This is one number: np.max is the largest of all entries. np.maximum(0, z) goes "
            "entry by entry.": z.max(),
            "This is the largest field of each row. np.maximum(0, z) goes entry by entry.": (
                z.max(axis=1)
            ),
        },
    )


@pytest.mark.exercise(
    "softmax",
    hints=(
        "Exponentiate all fields, then divide each row by its sum.",
        "The sum goes over classes, axis 1; keepdims=True keeps it a column.",
        "z = z - z.max(axis=1, keepdims=True); e = np.exp(z); e / e.sum(axis=1, keepdims=True).",
    ),
    see=LOSS,
)
def test_softmax_makes_each_row_a_distribution(student, inputs):
    """pₖ = exp(zₖ) / Σ exp(zⱼ): positive, and each row adds up to 1."""
    z = numbers(inputs, 3, 3)
    e = np.exp(z)
    expect(
        student.call("softmax", z=z),
        right=probabilities(z),
        misconceptions={
            "The sum goes over the wrong axis: over examples (0), not over classes (1).": (
                e / e.sum(axis=0)
            ),
            "The sums of the rows divide the columns: e.sum(axis=1) needs keepdims=True.": (
                e / e.sum(axis=1)
            ),
            "The sum goes over all entries. Each row is a distribution of its own.": e / e.sum(),
            "These are the exponentials. Divided by their sum they are probabilities.": e,
            "This is a sigmoid of each field. The classes share one unit of probability: each row "
            "adds up to 1.": sigmoid(z),
            "This is exp(−z): a large field means a probable class.": probabilities(-z),
            "These are powers of 2. The softmax has powers of e.": probabilities(z * np.log(2)),
            "The fields are divided by their sum. Exponentiate them first.": (
                z / z.sum(axis=1, keepdims=True)
            ),
            "These are logarithms of probabilities.": np.log(probabilities(z)),
            "This says which class has the largest field. A softmax gives each class its "
            "probability.": z.argmax(axis=1),
            "This is 1 at the largest field and 0 elsewhere. A softmax gives each class its "
            "probability.": z == z.max(axis=1, keepdims=True),
        },
    )


@pytest.mark.exercise("softmax", see=LOSS)
def test_softmax_survives_large_fields(student, inputs):
    """Fields of some ±10,000 give probabilities, and no NaN, in each row."""
    # The gap is in quarters: beside 10,000 these are exact in float32 too.
    most, gap = large(inputs), inputs.integers(2, 9) / 4
    rows = [[most, most - gap, -large(inputs)], [-large(inputs)] * 3, numbers(inputs, 3)]
    z = inputs.permutation(inputs.permuted(rows, axis=1))
    answer = student.call("softmax", z=z)
    refuse_nan(
        answer,
        "exp(10000) is infinity, and infinity by infinity is NaN; so is 0 by 0. Take the largest "
        "field of each row out of that row (not the largest of all) before exponentiating: the "
        "factor cancels.",
    )
    cut = np.exp(np.clip(z, -500, 500))
    expect(
        answer,
        right=probabilities(z),
        misconceptions={
            "The fields were cut off before the softmax, which changes what is far apart.": (
                cut / cut.sum(axis=1, keepdims=True)
            ),
        },
    )


@pytest.mark.exercise(
    "cross_entropy",
    hints=(
        "For each row, one number counts: the probability of the right class. Its logarithm, with "
        "a minus, averaged over the rows.",
        "p[np.arange(len(y)), y] takes from each row the entry of its class.",
        "log p_y = z_y − log Σ exp(z): take the largest of each row out of z, then no logarithm "
        "of 0 comes up.",
    ),
    see=LOSS,
)
def test_cross_entropy_is_the_mean_surprise_at_the_right_class(student, inputs):
    """L is the mean over the rows of −log p of the right class, in nats."""
    z = np.round(numbers(inputs, 4, 3) + 0.3, 2)  # so that sums of fields are not near 0
    p, right = probabilities(z), loss(z, Y)
    rows, t = np.arange(4), one_hot("y", Y, 3)
    of_class = p[rows, Y]
    e = np.exp(z)
    expect(
        student.call("cross_entropy", z=z, y=Y),
        right=right,
        misconceptions={
            "The minus is missing: log p is negative, and a loss is to be made small.": -right,
            "This is the sum over the rows; the mean is asked for.": 4 * right,
            "This is divided by the number of all entries. n is the number of rows.": right / 3,
            "This is in bits: a logarithm to base 2. Use the natural one.": right / np.log(2),
            "There is one number for each row here; the mean of them is asked for.": (
                -np.log(of_class)
            ),
            "The logarithm is missing: this is the mean of −p.": -of_class.mean(),
            "The logarithm is missing: this is the mean of 1 − p.": 1 - of_class.mean(),
            "This is the logarithm of the mean. Take the mean of the logarithms.": (
                -np.log(of_class.mean())
            ),
            "The softmax is missing: z are fields, not logarithms of probabilities.": (
                -z[rows, Y].mean()
            ),
            "The right classes are not used: this is the mean over all classes.": -np.log(p).mean(),
            "The right classes are not used: this sums over all classes.": (
                -np.log(p).sum(axis=1).mean()
            ),
            "p_y is to be taken row by row, p[np.arange(n), y]. p[:, y] takes all classes of y "
            "from each row.": -np.log(p[:, Y]).mean(),
            "This is squared error between probabilities and one-hot classes.": (
                ((p - t) ** 2).sum(axis=1).mean()
            ),
            "This is half the squared error between probabilities and one-hot classes.": (
                ((p - t) ** 2).sum(axis=1).mean() / 2
            ),
            "This is the mean squared error between probabilities and one-hot classes.": (
                ((p - t) ** 2).mean()
            ),
            "Each class has a sigmoid of its own here, and a yes or no. Exactly one class is "
            "right: use a softmax.": (softplus(z) - t * z).sum(axis=1).mean(),
            "The softmax goes over the wrong axis: over examples (0), not over classes (1).": (
                -np.log((e / e.sum(axis=0))[rows, Y]).mean()
            ),
            "The softmax is taken twice: z are fields, and one softmax makes them "
            "probabilities.": loss(p, Y),
        },
    )


@pytest.mark.exercise("cross_entropy", see=LOSS)
def test_cross_entropy_survives_large_fields(student, inputs):
    """A wrong class with a field of 10,000 costs 10,000 nats, not infinity and not NaN."""
    wrong = inputs.permutation([large(inputs), 0.0, -large(inputs)])
    sure = inputs.permutation([large(inputs), 0.0, 0.0])
    low = np.full(3, -large(inputs))  # far below the largest field of all rows
    z = np.array([wrong, sure, low])
    y = np.array([np.flatnonzero(wrong == 0)[0], sure.argmax(), inputs.integers(3)])
    right = loss(z, y)
    answer = student.call("cross_entropy", z=z, y=y)
    refuse_nan(
        answer,
        "The probability of the right class came out as 0, or as infinity by infinity. The loss "
        "needs no logarithm of it: −log p_y = log Σ exp(z) − z_y, with the largest z of each row "
        "taken out of both.",
    )
    value = answer.array(())
    capped = (
        "A small number inside the logarithm, or a cut, hides log 0 and caps the loss: it no "
        "longer says how wrong the class is. −log p_y = log Σ exp(z) − z_y needs neither."
    )
    expect(answer, right=right, misconceptions={capped: value} if 0 < value < 2000 else {})


# ---- slopes


@pytest.mark.exercise(
    "slopes_by_trial",
    points=2,
    hints=(
        "Two loops, over the rows and the columns of W. In each round one entry is moved, up and "
        "down, and the loss is computed twice.",
        "Move a copy, so that all other entries are where they were: up = W.copy(); "
        "up[i, j] += epsilon.",
        "(cross_entropy(x @ up + b, y) - cross_entropy(x @ down + b, y)) / (2 * epsilon).",
    ),
    see=CHECK,
)
def test_slopes_by_trial_move_one_entry_both_ways(student, inputs):
    """Each slope is a difference of two losses, with one entry of W moved by ±ε, by 2ε."""
    x, W, b = numbers(inputs, 4, 2, low=0.8), numbers(inputs, 2, 3), numbers(inputs, 3)
    # Large, so that what is tried out differs from what is derived; and 2ε is not 1.
    epsilon = 0.4
    y = Y

    def total(W: np.ndarray = W, x: np.ndarray = x, b: np.ndarray = b) -> float:
        return loss(x @ W + b, y)

    def moved(step: float) -> np.ndarray:
        found = np.empty_like(W)
        for at in np.ndindex(W.shape):
            there = W.copy()
            there[at] += step
            found[at] = total(there)
        return found

    moving = W.copy()
    right = np.array(
        [central_difference(lambda: total(moving), moving, i, epsilon) for i in range(W.size)]
    ).reshape(W.shape)
    up, down = moved(epsilon), moved(-epsilon)
    both = moved(epsilon / 2) - moved(-epsilon / 2)
    kept, left_over = W.copy(), np.empty_like(W)
    for at in np.ndindex(W.shape):
        kept[at] += epsilon
        above = total(kept)
        kept[at] -= 2 * epsilon
        left_over[at] = (above - total(kept)) / (2 * epsilon)
    derived = Network([W], [b], ["softmax"]).gradients(x, y)[0][0]
    all_at_once = (total(W + epsilon) - total(W - epsilon)) / (2 * epsilon)
    expect(
        student.call("slopes_by_trial", x=x, y=y, W=W, b=b, epsilon=epsilon),
        right=right,
        misconceptions={
            "The entry moves by ε each way, so by 2ε in all: divide by 2ε.": (up - down) / epsilon,
            "The difference is to be divided by 2ε.": up - down,
            "The ½ stands in the wrong place: (…) / 2 * ε divides by 2 and multiplies by ε.": (
                (up - down) / 2 * epsilon
            ),
            "This moves one way only, from W to W + ε. Both ways the error falls with ε², one way "
            "with ε.": (up - total()) / epsilon,
            "This moves one way only, from W to W − ε. Both ways the error falls with ε², one way "
            "with ε.": (total() - down) / epsilon,
            "The sign is turned round: above minus below.": -right,
            "The entry moves by ε/2 each way. It is to move by ε.": both / epsilon,
            "The entry moves by ε/2 each way, and the difference is divided by 2ε.": (
                both / (2 * epsilon)
            ),
            "The entries are not put back: each is tried where the ones before it have been left. "
            "Move a copy.": left_over,
            "All entries move at once. Each has a slope of its own: move one, and leave the "
            "others.": np.full_like(W, all_at_once),
            "All entries move at once, and one number comes back. Each entry has a slope of its "
            "own.": all_at_once,
            "This is the derived slope, x'(p − y)/n, or a trial with a tiny ε of your own. Asked "
            "for is the trial with the epsilon that is given.": derived,
            "That is what comes out without the biases b.": np.array(
                [
                    central_difference(lambda: total(moving, b=0 * b), moving, i, epsilon)
                    for i in range(W.size)
                ]
            ).reshape(W.shape),
            "The slopes are those of a sum over the rows. The loss is a mean.": len(y) * right,
        },
    )


# ---- the start

EDGES = np.array([0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5])
EDGES = np.concatenate([-EDGES[::-1], [0.0], EDGES])


def shares(cumulative: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Probability of each of the intervals between −∞, the edges (times He's deviation) and ∞."""
    return np.diff(np.concatenate([[0.0], cumulative(EDGES), [1.0]]))


@pytest.mark.exercise(
    "he_start",
    hints=(
        "One draw for each weight: a whole array of them, of the shape of W.",
        "rng.standard_normal((n_in, n_out)) has the variance 1. What factor makes that 2/n_in?",
        "np.sqrt(2 / n_in) * rng.standard_normal((n_in, n_out)).",
    ),
    see=START,
)
def test_he_start_draws_normal_weights_of_the_right_scale(student, inputs):
    """Weights are independent draws from N(0, 2/n_in)."""
    # n_in, n_out, their sum, 2 n_in and the 200 of the deviation 0.1 are far apart. The sizes are
    # drawn, since nothing else tells draws that are made now from draws that were made before.
    n_in, n_out = int(inputs.integers(280, 321)), int(inputs.integers(110, 131))
    answer = student.call("he_start", n_in=n_in, n_out=n_out, rng=Seed(int(inputs.integers(2**31))))
    he = np.sqrt(2 / n_in)
    value = as_numbers(answer.value)
    if value is not None and value.shape == (n_out, n_in):
        raise answer.wrong(
            "gives something of the wrong shape",
            expected=f"an array of shape {(n_in, n_out)}",
            misconception="The weights are transposed: W is (units below, units).",
        )
    W = answer.array((n_in, n_out))
    refuse_nan(answer, "Weights are finite numbers.")

    def normal(deviation: float) -> np.ndarray:
        return shares(lambda z: ndtr(z * he / deviation))

    def uniform(low: float, high: float) -> np.ndarray:
        return shares(lambda z: np.clip((z * he - low) / (high - low), 0, 1))

    def seen(values: np.ndarray) -> np.ndarray:
        return np.bincount(np.searchsorted(EDGES, values.ravel() / he), minlength=len(EDGES) + 1)

    def one_for_many(values: np.ndarray) -> bool:
        return len(np.unique(values)) < values.size / 10

    right = normal(he)
    glorot = np.sqrt(6 / (n_in + n_out))
    known = {
        "The deviation is 2/n_in here. That is the variance: its root is the deviation.": normal(
            2 / n_in
        ),
        "The variance is 1/n_in here. A rectifier lets half of the units through, and the 2 makes "
        "up for it.": normal(np.sqrt(1 / n_in)),
        "The variance is 2/n_out here. What adds up in a unit are the n_in numbers from below: "
        "2/n_in.": normal(np.sqrt(2 / n_out)),
        "These are draws from N(0, 1). The deviation must shrink with the number of units below: "
        "√(2/n_in).": normal(1.0),
        "These are draws from 0.1·N(0, 1), whatever the width. The deviation must follow the "
        "number of units below: √(2/n_in).": normal(0.1),
        "These are draws from 0.01·N(0, 1), whatever the width. The deviation must follow the "
        "number of units below: √(2/n_in).": normal(0.01),
        "The fraction is upside down: √(2/n_in), not √(n_in/2).": normal(np.sqrt(n_in / 2)),
        "This is Glorot's start, N(0, 2/(n_in + n_out)), which is made for tanh units. For "
        "rectifiers: N(0, 2/n_in).": normal(np.sqrt(2 / (n_in + n_out))),
        "This is Glorot's start, uniform between ±√(6/(n_in + n_out)), which is made for tanh "
        "units. For rectifiers: N(0, 2/n_in).": uniform(-glorot, glorot),
        "The variance is right, and the draws are uniform. Normal ones are asked for.": uniform(
            -np.sqrt(3) * he, np.sqrt(3) * he
        ),
        "These are draws from 0 to a bound, all positive: rng.random is uniform between 0 and 1. "
        "Normal draws around 0 are asked for.": uniform(0, he),
        "These are draws between 0 and 1: rng.random is uniform there. Normal draws around 0 are "
        "asked for.": uniform(0, 1),
        "All weights are positive. Normal draws around 0 are asked for.": shares(
            lambda z: np.clip(2 * ndtr(z) - 1, 0, 1)
        ),
    }
    counts = seen(W)
    if fits(counts, right) and not one_for_many(W):
        return
    named = next((text for text, other in known.items() if fits(counts, other)), "")
    if one_for_many(W):
        named = "Many weights are equal. Units with equal weights stay equal: draw each for itself."
    if not np.any(W):
        named = "All weights are 0. Then all units of a layer are alike, and stay so."
    raise answer.wrong(
        "draws from another distribution",
        expected=f"an array of shape {(n_in, n_out)} of draws from N(0, {2 / n_in:.4g})",
        details=f"the mean is {W.mean():.4g}, should be 0; "
        f"the standard deviation is {W.std():.4g}, should be {he:.4g}",
        misconception=named,
    )


@pytest.mark.exercise(
    "he_start", see=START, after="test_he_start_draws_normal_weights_of_the_right_scale"
)
def test_he_start_draws_from_the_generator_it_is_given(student):
    """The same generator gives the same draws: all randomness comes from `rng`."""
    judge_randomness(lambda rng: student.call("he_start", n_in=3, n_out=4, rng=rng), (3, 4))


# ---- backpropagation

Arrays = tuple[np.ndarray, ...]


def fields(x: np.ndarray, *parameters: np.ndarray) -> list[np.ndarray]:
    """z of each layer; a network of rectifiers but for the last."""
    found, a = [], x
    for W, b in zip(parameters[::2], parameters[1::2], strict=True):
        found.append(a @ W + b)
        a = np.maximum(0, found[-1])
    return found


def backward(
    x: np.ndarray,
    y: np.ndarray,
    parameters: Arrays,
    *,
    slopes: tuple[bool, bool] = (True, True),
    transposed: bool = True,
    delta: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda p, t: p - t,
) -> Arrays:
    """Backpropagation with a choice of errors.

    `slopes` says in which hidden layers f' is used, `transposed` whether W is on the way back,
    `delta` what the last layer begins with.
    """
    z = fields(x, *parameters)
    a = [x, *(np.maximum(0, each) for each in z[:-1])]
    d = delta(probabilities(z[-1]), one_hot("y", y, 3)) / len(x)
    found: list[np.ndarray] = []
    for layer in (2, 1, 0):
        found = [a[layer].T @ d, d.sum(axis=0), *found]
        if layer:
            W = parameters[2 * layer]
            d = d @ (W.T if transposed else W)
            if slopes[layer - 1]:
                d = d * (z[layer - 1] > 0)
    return tuple(found)


def network(inputs: np.random.Generator) -> tuple[np.ndarray, Arrays]:
    """A 3-3-3-3 network and points: in both hidden layers some units are on and some are off."""
    while True:
        x = numbers(inputs, 4, 3)
        parameters = tuple(
            numbers(inputs, *shape, high=1.2) for _ in range(3) for shape in ((3, 3), (3,))
        )
        hidden = fields(x, *parameters)[:2]
        p = probabilities(fields(x, *parameters)[2])
        # Every unit is on for one row at least, and off for one; none is at its kink; the errors
        # of the output are neither 0 nor 1; and each error on the way back shows.
        mixed = all((z > 0).any(axis=0).all() and (z < 0).any(axis=0).all() for z in hidden)
        clear = min(np.abs(z).min() for z in hidden) > 0.03 and (p > 0.03).all()
        right, *wrong = (
            backward(x, Y, parameters, slopes=slopes, transposed=transposed)[0]
            for slopes, transposed in (
                ((True, True), True),
                ((False, True), True),
                ((True, False), True),
                ((True, True), False),
            )
        )
        if mixed and clear and min(np.abs(each - right).max() for each in wrong) > 0.01:
            return x, parameters


def slopes(x: np.ndarray, parameters: Arrays) -> Arrays:
    """The library's gradients, in the order W¹, b¹, W², b², W³, b³."""
    network = Network(parameters[::2], parameters[1::2], ["relu", "relu", "softmax"])
    return tuple(part for layer in zip(*network.gradients(x, Y), strict=True) for part in layer)


def call_gradients(student: Student, x: np.ndarray, parameters: Arrays) -> Answer:
    """The student's gradients."""
    names = ("W1", "b1", "W2", "b2", "W3", "b3")
    return student.call("gradients", x=x, y=Y, **dict(zip(names, parameters, strict=True)))


@pytest.mark.exercise(
    "gradients",
    points=3,
    hints=(
        "Go forward first and keep every field and activation. Then go back: δ of the last layer "
        "is (p − one-hot y) / n, and each layer hands one down.",
        "dW = a_below.T @ delta and db = delta.sum(axis=0). One layer down: delta @ W.T, times 1 "
        "where z of that layer is positive, else 0.",
        "d3 = (softmax(z3) - np.eye(K)[y]) / len(x); d2 = (d3 @ W3.T) * (z2 > 0); "
        "d1 = (d2 @ W2.T) * (z1 > 0).",
    ),
    see=BACKPROPAGATION,
)
def test_gradients_are_the_slopes_of_the_loss_in_every_parameter(student, inputs):
    """δ = (p − y)/n at the top, (δW') ∘ f'(z) on the way down; ∂W = a'δ, ∂b = Σ δ."""
    x, parameters = network(inputs)
    y = Y
    right = slopes(x, parameters)
    n = len(x)
    shifted = tuple(np.zeros(3) if part.ndim == 1 else part for part in parameters)
    no_bias = backward(x, y, shifted)
    expect(
        call_gradients(student, x, parameters),
        right=right,
        misconceptions={
            "f' is missing in both hidden layers: what comes back through a unit that is off "
            "must be 0. δ = (δ_above W') ∘ (z > 0).": (
                backward(x, y, parameters, slopes=(False, False))
            ),
            "f' is missing in the first hidden layer: δ¹ = (δ² W²') ∘ (z¹ > 0).": (
                backward(x, y, parameters, slopes=(False, True))
            ),
            "f' is missing in the second hidden layer: δ² = (δ³ W³') ∘ (z² > 0).": (
                backward(x, y, parameters, slopes=(True, False))
            ),
            "The sign is turned round: this is minus the gradient. The step goes against it, "
            "later.": tuple(-part for part in right),
            "These are the slopes of a sum over the rows. The loss is a mean: divide δ by the "
            "number of rows.": tuple(n * part for part in right),
            "Divided by the number of rows twice: once in δ is enough.": tuple(
                part / n for part in right
            ),
            "Divided by the number of rows in the weights, not in the biases.": tuple(
                n * part if part.ndim == 1 else part for part in right
            ),
            "The biases' gradients are means over the rows of a δ that is divided by n already. "
            "They are sums.": tuple(part / n if part.ndim == 1 else part for part in right),
            "Divided by the number of classes, not by the number of rows.": tuple(
                part * n / 3 for part in right
            ),
            "On the way back the weights must be transposed: δ W'. (With layers of the same "
            "width, no error of shapes warns of it.)": (
                backward(x, y, parameters, transposed=False)
            ),
            "The gradients by the weights are transposed: a_below' δ, in the shape of W.": tuple(
                part.T for part in right
            ),
            "The last layer has a derivative of the softmax too many. In p − y it has cancelled "
            "already, together with the logarithm's.": (
                backward(x, y, parameters, delta=lambda p, t: (p - t) * p * (1 - p))
            ),
            "The last layer begins with p, not with p − y: the right classes are not used.": (
                backward(x, y, parameters, delta=lambda p, t: p)
            ),
            "The last layer begins with 2(p − y), as squared error would have it.": tuple(
                2 * part for part in right
            ),
            "The biases are left out on the way forward.": no_bias,
            "The gradients come in another order: W¹, b¹, W², b², W³, b³.": (
                *right[::2],
                *right[1::2],
            ),
            "The gradients come from the last layer to the first. Turn them round.": (
                *right[4:],
                *right[2:4],
                *right[:2],
            ),
        },
    )


@pytest.mark.exercise("gradients", see=BACKPROPAGATION)
def test_gradients_of_a_network_with_unequal_layers(student, inputs):
    """The slopes have the shapes of their parameters, and b³ says how many classes there are."""
    sizes = 2, 3, 6, 5

    def draw() -> tuple[np.ndarray, Arrays]:
        shapes = [shape for n in range(3) for shape in (sizes[n : n + 2], sizes[n + 1 : n + 2])]
        return numbers(inputs, 4, 2), tuple(numbers(inputs, *shape) for shape in shapes)

    def clear(found: tuple[np.ndarray, Arrays]) -> bool:
        # Some units are on and some off, none is at its kink; and no class is out of question.
        *hidden, top = fields(found[0], *found[1])
        mixed = all((z > 0).any() and (z < 0).any() for z in hidden)
        kinks = min(np.abs(z).min() for z in hidden)
        return mixed and kinks > 0.03 and probabilities(top).min() > 1e-3

    x, parameters = first_good(draw, clear)
    expect(call_gradients(student, x, parameters), right=slopes(x, parameters))


@pytest.mark.exercise("gradients", see=BACKPROPAGATION)
def test_gradients_survive_large_fields(student, inputs):
    """Fields of ±10,000 at the output give finite gradients."""

    def draw() -> tuple[np.ndarray, Arrays]:
        x, (*below, W3, b3) = network(inputs)
        return x, (*below, np.round(W3 * 1e4), b3)

    def clear(found: tuple[np.ndarray, Arrays]) -> bool:
        # Some rows are taken for another class; the largest field leads by far, in float32 too.
        top = fields(found[0], *found[1])[2]
        second, first = np.sort(top, axis=1)[:, -2:].T
        return (top.argmax(axis=1) != Y).sum() > 1 and (first - second).min() > 100

    x, parameters = first_good(draw, clear)
    right = slopes(x, parameters)
    answer = call_gradients(student, x, parameters)
    refuse_nan(
        answer,
        "exp(10000) is infinity, and infinity by infinity is NaN. Use your `softmax`, which takes "
        "the largest field of each row out first.",
    )
    # Sums of numbers of some 10,000 are as exact as these are in float32.
    expect(answer, right=right, atol=1e-6 * max(np.abs(part).max() for part in right))


# ---- optimiser


@pytest.mark.exercise(
    "adam_step",
    hints=(
        "Five lines, one for each equation. Give the new arrays names of their own.",
        "What comes back are m and s as averages; m̂ and ŝ are only for the step.",
        "theta - rate * (m / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8).",
    ),
    see=OPTIMISERS,
)
def test_adam_step_follows_two_averages(student, inputs):
    """The step is the average slope by the root of the average square, both corrected."""
    # Slopes of either sign: where all are positive, g and |g| are one.
    g = first_good(lambda: numbers(inputs, 3), lambda g: (g < 0).any())
    theta, m = numbers(inputs, 3), numbers(inputs, 3, low=0.2, high=0.8)
    s = np.round(inputs.uniform(0.1, 0.4, 3) ** 2, 3)
    t, rate = 3, 0.1
    oracle = Adam(rate)
    moved = theta.copy()
    oracle.start([moved])
    oracle.memory()["steps"][0] = t - 1
    oracle.memory()["mean_0"][:], oracle.memory()["square_0"][:] = m, s
    oracle.step([g], 0)
    new_m, new_s = oracle.memory()["mean_0"], oracle.memory()["square_0"]

    def step(
        m: np.ndarray = new_m,
        s: np.ndarray = new_s,
        power: float = 0.5,
        t1: int | None = t,
        t2: int | None = t,
    ) -> np.ndarray:
        # t1 and t2: exponents in the two corrections, None where it is left out
        first = 1.0 if t1 is None else 1 - 0.9**t1
        second = 1.0 if t2 is None else 1 - 0.999**t2
        return theta - rate * (m / first) / ((s / second) ** power + 1e-8)

    exchanged = (0.999 * m + 0.001 * g, 0.9 * s + 0.1 * g**2)
    swapped = (0.1 * m + 0.9 * g, 0.001 * s + 0.999 * g**2)
    unweighted = (0.9 * m + g, 0.999 * s + g**2)
    no_square = 0.999 * s + 0.001 * g
    with np.errstate(invalid="ignore"):
        of_slopes = step(s=no_square)
    of_size = 0.999 * s + 0.001 * np.abs(g)
    expect(
        student.call("adam_step", theta=theta, g=g, m=m, s=s, t=t, rate=rate),
        right=(moved, new_m, new_s),
        misconceptions={
            "This walks uphill: the step goes against the slope.": (
                2 * theta - moved,
                new_m,
                new_s,
            ),
            "The corrections are missing: m and s began at 0, and m̂ and ŝ take that out.": (
                step(t1=None, t2=None),
                new_m,
                new_s,
            ),
            "The correction of s is missing: ŝ = s / (1 − β₂ᵗ).": (step(t2=None), new_m, new_s),
            "The correction of m is missing: m̂ = m / (1 − β₁ᵗ).": (step(t1=None), new_m, new_s),
            "The corrections lack the power t: 1 − βᵗ, not 1 − β.": (
                step(t1=1, t2=1),
                new_m,
                new_s,
            ),
            "The steps count from 1, and t is the number of this one: no t + 1 is needed.": (
                step(t1=t + 1, t2=t + 1),
                new_m,
                new_s,
            ),
            "The root is missing: the step is divided by √ŝ.": (step(power=1.0), new_m, new_s),
            "The averages that come back must be m and s themselves. m̂ and ŝ are for this step "
            "only.": (moved, new_m / (1 - 0.9**t), new_s / (1 - 0.999**t)),
            "The averages that come back are the old ones. The next step needs the new.": (
                moved,
                m,
                s,
            ),
            "The step is taken with the old averages. First the averages, then the step.": (
                step(m, s),
                new_m,
                new_s,
            ),
            "The two β are exchanged: 0.9 is for m, 0.999 for s.": (
                step(*exchanged, t1=t, t2=t),
                *exchanged,
            ),
            "The two β are exchanged, in the averages and in the corrections: 0.9 is for m, 0.999 "
            "for s.": (
                theta
                - rate
                * (exchanged[0] / (1 - 0.999**t))
                / (np.sqrt(exchanged[1] / (1 - 0.9**t)) + 1e-8),
                *exchanged,
            ),
            "β and 1 − β are exchanged: the averages keep most of what they were.": (
                step(*swapped),
                *swapped,
            ),
            "The factors (1 − β) are missing: an average takes in as much as it forgets.": (
                step(*unweighted),
                *unweighted,
            ),
            "s is the average of the squares g², not of g.": (of_slopes, new_m, no_square),
            "s is the average of the squares g², not of |g|.": (step(s=of_size), new_m, of_size),
            "This is a step by the slope itself: neither average is used.": (
                theta - rate * g,
                new_m,
                new_s,
            ),
            "This is a step by the average slope: it is not divided by √ŝ.": (
                theta - rate * new_m / (1 - 0.9**t),
                new_m,
                new_s,
            ),
            "This is the change alone. The new θ is asked for.": (moved - theta, new_m, new_s),
        },
    )


@pytest.mark.exercise("adam_step", see=OPTIMISERS)
def test_adam_step_stands_still_where_there_is_no_slope(student, inputs):
    """Tiny keeps 0 / 0 away, and belongs beside the root of ŝ."""
    theta, rate = numbers(inputs, 2), 0.1
    g = inputs.permutation([0.0, inputs.choice([-1, 1]) * np.round(inputs.uniform(1, 2), 2) * 1e-4])
    m, s = 0.1 * g, 0.001 * g**2  # from averages of 0, so that m̂ = g and ŝ = g²
    answer = student.call("adam_step", theta=theta, g=g, m=0 * g, s=0 * g, t=1, rate=rate)
    refuse_nan(answer, "0 / 0 came out where the slope is 0. tiny is missing: m̂ / (√ŝ + tiny).")
    expect(
        answer,
        right=(theta - rate * g / (np.abs(g) + 1e-8), m, s),
        misconceptions={
            "tiny stands under the root. It is added to the root: √ŝ + tiny.": (
                theta - rate * g / np.sqrt(g**2 + 1e-8),
                m,
                s,
            ),
        },
        atol=1e-3,  # tiny may also stand beside the root of s, before its correction
    )


# ---- all together


def two_moons(inputs: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """As `dbnlib.data.two_moons` with noise 0.1, without loading scikit-learn for it."""
    y, t = np.arange(n) % 2, inputs.uniform(0, np.pi, n)
    inputs.shuffle(y)
    upper = np.stack([np.cos(t), np.sin(t)], axis=1)
    lower = np.stack([1 - np.cos(t), 0.5 - np.sin(t)], axis=1)
    return np.where(y[:, None] == 0, upper, lower) + 0.1 * inputs.standard_normal((n, 2)), y


@pytest.mark.exercise(
    "learn_moons",
    points=4,
    hints=(
        "Start: three he_start matrices and zero biases. Then repeat: gradients, a step for each "
        "of the six arrays. In the end: forward with x_new, and the class with the larger field.",
        "Adam needs an m and an s, at first 0, for each of the six arrays, and t = 1, 2, 3, … "
        "A list of parameters and zip keep that short.",
        "2-16-16-2, rate 0.01, 500 steps over all points; then z.argmax(axis=1). If it does not "
        "learn, print cross_entropy every 50 steps: it must fall from about 0.7 to below 0.05.",
    ),
    see=MOONS,
    seconds=30,
)
def test_learn_moons_is_right_about_new_points(student, inputs):
    """At least 95 % of new points get their class."""
    x, y = two_moons(inputs, 300)
    x_new, y_new = two_moons(inputs, 1000)
    answer = student.call(
        "learn_moons", x=x, y=y, x_new=x_new, rng=Seed(int(inputs.integers(2**31)))
    )
    value = as_numbers(answer.value)
    expected = "an array of shape (1000,), each 0 or 1"
    shapes = {
        (1000, 2): "These are two numbers for each point. Choose the class with the larger one: "
        "argmax(axis=1).",
        (1000, 1): "This is a column. One number for each point is asked for: shape (1000,).",
        (300,): "These are classes of the points you trained on. Classes of x_new are asked for.",
    }
    shape = None if value is None else value.shape
    if shape in shapes:
        raise answer.wrong(
            "gives something of the wrong shape", expected=expected, misconception=shapes[shape]
        )
    classes = answer.array((1000,))
    if not np.isin(classes, (0, 1)).all():
        nan = np.isnan(classes).any()
        raise answer.wrong(
            "gives something else than classes",
            expected=expected,
            misconception="NaN came out: the training has diverged. Is the rate too large?"
            if nan
            else "These are probabilities or fields. Decide: 1 where class 1 is the more probable.",
        )
    right = float((classes == y_new).mean())
    if right < 0.95:
        raise answer.wrong(
            "has not learned enough",
            expected="at least 95 % of new points right",
            details=f"{right:.1%} of new points are right",
            misconception=why_so_few(right, classes, x, y, x_new),
        )
    if answer.changed:
        names = ", ".join(answer.changed)
        raise answer.wrong(
            f"changes its argument {names}",
            expected=f"{names} as it was before the call",
            misconception=f"The classes are right, but the call changed its argument {names}, "
            "which belongs to the caller. Shuffle numbers of rows, rng.permutation(len(x)).",
        )


def why_so_few(
    right: float, classes: np.ndarray, x: np.ndarray, y: np.ndarray, x_new: np.ndarray
) -> str:
    """The likeliest reason for a share of right answers below 95 %."""
    with_ones, new_ones = (np.hstack([points, np.ones((len(points), 1))]) for points in (x, x_new))
    by_line = new_ones @ np.linalg.lstsq(with_ones, 2 * y - 1, rcond=None)[0] > 0
    if len(np.unique(classes)) == 1:
        return (
            "All points get the same class: it has not learned at all. Look at the start: from "
            "weights that are all 0, or all small, a deep network hardly moves."
        )
    if right < 0.05:
        return "The classes are exchanged: almost every point gets the other one."
    if right < 0.7:
        return (
            "That is no better than guessing. Are points and classes still pairs, in the same "
            "order? Does the loss fall at all, or does the step go along with the gradient?"
        )
    if (classes == by_line).mean() > 0.95:
        return (
            "A straight line does as well. Either the activations are missing, so that all layers "
            "together are one linear map, or there were too few steps."
        )
    return ""
