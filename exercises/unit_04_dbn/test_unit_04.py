"""What a learner must have understood about a stack of two RBMs, one test a claim."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

import numpy as np
import pytest
from scipy.special import logsumexp

from dbnlib.bound import exact_bound, exact_log_likelihood
from dbnlib.dbn import DBN
from dbnlib.exact import log_likelihood, log_partition
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, sigmoid, softplus
from exercises.grading import Seed, expect, expect_draws
from exercises.grading.drawing import first_good, judge_randomness, numbers
from exercises.grading.feedback import ERROR_RATE
from exercises.grading.student import Answer, as_numbers

STATES = Bernoulli(3).states(0, 8)
V = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
N_DRAWS = 10_000

# Sections of the notebook.
ANOTHER_LAYER = "What could another layer improve?"
ARROWS = "Why the lower arrows point down"
BOUND = "The bound, derived"
NO_CHANGE = "A new layer that changes nothing"
TRAINING = "What training the new layer raises"
TOO_WIDE = "When the layers are too wide to enumerate"
FROM_THE_TOP = "Samples from the top"


@dataclass(frozen=True)
class Stack:
    """Two RBMs, most often with three units in each layer: transposed weights raise no error."""

    W1: np.ndarray
    b1: np.ndarray
    c1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray
    c2: np.ndarray

    @property
    def dbn(self) -> DBN:
        """As the library has it."""
        parts = astuple(self)
        return DBN([RBM(*parts[:3]), RBM(*parts[3:])])

    def given(self, *names: str) -> dict[str, np.ndarray]:
        """The parameters as arguments: those named, or all."""
        return {name: getattr(self, name) for name in names or vars(self)}

    def without(self, name: str) -> Stack:
        """The same with zeros for one parameter."""
        return replace(self, **{name: 0 * getattr(self, name)})

    # Logarithms of the three distributions, for rows of v (or none) and all eight states of h¹.

    def log_down(self, v: np.ndarray = V) -> np.ndarray:
        """log p(v | h¹)."""
        return log_states_given(self.b1 + STATES @ self.W1.T, v).T

    def log_q(self, v: np.ndarray = V) -> np.ndarray:
        """log q(h¹ | v)."""
        return log_states_given(self.c1 + v @ self.W1, STATES)

    def log_p_h(self) -> np.ndarray:
        """log p(h¹), from the second RBM."""
        minus_F = STATES @ self.b2 + softplus(self.c2 + STATES @ self.W2).sum(axis=1)
        return minus_F - logsumexp(minus_F)


def log_states_given(x: np.ndarray, states: np.ndarray) -> np.ndarray:
    """log p(state | field) for each row of fields and each state: shape (n_fields, n_states)."""
    return x @ states.T - softplus(x).sum(axis=1)[:, None]


#: Units of v, h¹ and h². What is made for another layer is too small in one of the two.
UNEQUAL = ((3, 4, 2), (3, 2, 4))


def stack(
    inputs: np.random.Generator, layers: tuple[int, int, int] = (3, 3, 3), *, size: float = 1.0
) -> Stack:
    """A small network with these numbers of units, from v upward."""
    v, h1, h2 = layers
    shapes = (v, h1), (v,), (h1,), (h1, h2), (h1,), (h2,)
    return Stack(*(numbers(inputs, *shape, size=size) for shape in shapes))


def balanced(inputs: np.random.Generator) -> Stack:
    """A network with large weights and biases that make up for them: every unit is undecided.

    Its neighbours decide it, so that it matters whether they are drawn.
    """
    W1, W2 = (numbers(inputs, 3, 3, size=3.0) for _ in range(2))
    b1, c1, b2, c2 = (numbers(inputs, 3) for _ in range(4))
    b1, b2, c2 = b1 - W1.sum(axis=1) / 2, b2 - W2.sum(axis=1) / 2, c2 - W2.sum(axis=0) / 2
    return Stack(W1, np.round(b1, 2), c1, W2, np.round(b2, 2), np.round(c2, 2))


# ---- up


@pytest.mark.exercise(
    "recognition_pass",
    hints=(
        "Twice the same: a field for each unit, then σ. What does the second layer see?",
        "The second layer sees the means of the first: m1 takes the place of v.",
        "m1 = σ(c1 + v @ W1), m2 = σ(c2 + m1 @ W2); return m1, m2.",
    ),
    see=ARROWS,
)
def test_recognition_pass_hands_means_up(student, inputs):
    """Each layer's mean is σ of the field that the means below make."""
    net = stack(inputs)
    W1, c1, W2, c2 = net.W1, net.c1, net.W2, net.c2
    m1, m2 = net.dbn.up(V)
    no_c1, x = sigmoid(V @ W1), c1 + V @ W1
    crossed = sigmoid(c1 + V @ W1.T)
    expect(
        student.call("recognition_pass", v=V, **net.given("W1", "c1", "W2", "c2")),
        right=(m1, m2),
        misconceptions={
            "That is what comes out without both biases.": (no_c1, sigmoid(no_c1 @ W2)),
            "That is what comes out without the bias c1 of the first layer.": (
                (no_c1, sigmoid(c2 + no_c1 @ W2))
            ),
            "That is what comes out without the bias c2 of the second layer.": (
                (m1, sigmoid(m1 @ W2))
            ),
            "The second layer sees v here. It sees what the first layer makes of v.": (
                (m1, sigmoid(c2 + V @ W2))
            ),
            "The first layer hands up its field, not its mean: σ is missing before W2.": (
                (m1, sigmoid(c2 + x @ W2))
            ),
            "These are the fields: σ is still to be taken in both layers.": (x, c2 + x @ W2),
            "The second layer's σ is missing: this is its field.": (m1, c2 + m1 @ W2),
            "The first layer is rounded before it is handed up. Means are asked for.": (
                (m1, sigmoid(c2 + (m1 > 0.5) @ W2))
            ),
            "The weights are transposed: upward it is v @ W1 and m1 @ W2.": (
                (crossed, sigmoid(c2 + crossed @ W2.T))
            ),
            "The second layer's weights are transposed: upward it is m1 @ W2.": (
                (m1, sigmoid(c2 + m1 @ W2.T))
            ),
            "The two layers are exchanged: m1 comes first.": (m2, m1),
        },
    )


@pytest.mark.exercise(
    "layer_two_data",
    hints=(
        "The mean of each hidden unit first; then each is drawn for itself.",
        "(rng.random(p.shape) < p) is True with the probability p.",
        "p = σ(c1 + v @ W1); return (rng.random(p.shape) < p) * 1.0.",
    ),
    see=TRAINING,
)
def test_layer_two_data_are_draws_of_h(student, inputs):
    """Each hidden state comes as often as q(h¹ | v) says."""
    net = stack(inputs, size=1.5)
    one = V[:1]
    # Units that are not certain, where a draw differs most from its mean.
    signs = np.sign(net.c1)
    c1 = np.round(0.5 * signs - (one @ net.W1)[0], 2)
    # And a bias that would be missed.
    W1 = net.W1.copy()
    W1[0] += np.where(np.abs(c1) < 0.8, 1.5 * signs, 0)
    c1 = np.round(0.5 * signs - (one @ W1)[0], 2)
    net = replace(net, W1=W1, c1=c1)
    v = np.repeat(one, N_DRAWS, axis=0)
    p = sigmoid(c1 + v @ W1)

    def of(stack: Stack) -> np.ndarray:
        return np.exp(stack.log_q(one))[0]

    crossed = np.exp(log_states_given(c1 + one @ W1.T, STATES))[0]
    opposite = np.exp(log_states_given(-(c1 + one @ W1), STATES))[0]
    expect_draws(
        student.call("layer_two_data", v=v, W1=W1, c1=c1, rng=Seed(int(inputs.integers(2**31)))),
        right=of(net),
        n_draws=N_DRAWS,
        values={
            "These are probabilities. The second RBM is to learn from states: 1 with the "
            "probability p, else 0.": p,
            "These are rounded probabilities (1 where p > ½). Draw: 1 with the probability p.": (
                (p > 0.5) * 1.0
            ),
            "These are the fields. A unit is on with the probability σ(field).": c1 + v @ W1,
        },
        misconceptions={
            "The hidden biases c1 are missing.": of(net.without("c1")),
            "Each unit is on where the random number is larger than p, so with the probability "
            "1 − p.": opposite,
            "The weights are transposed: upward it is v @ W1.": crossed,
            "Each unit is on or off with equal chances, whatever v is.": np.full(8, 1 / 8),
        },
    )


@pytest.mark.exercise("layer_two_data", see=TRAINING, after="test_layer_two_data_are_draws_of_h")
def test_layer_two_data_come_from_the_generator_that_is_given(student, inputs):
    """The same generator gives the same draws: all randomness comes from `rng`."""
    v = np.repeat(V, 50, axis=0)
    for layers in UNEQUAL:
        given = stack(inputs, layers).given("W1", "c1")
        judge_randomness(
            lambda rng, given=given: student.call("layer_two_data", v=v, **given, rng=rng),
            shape=(len(v), layers[1]),
        )


# ---- the start that changes nothing


@pytest.mark.exercise(
    "upside_down",
    hints=(
        "The second RBM's visible layer is h¹. Which of the three parameters belongs to h¹?",
        "Its energy must be E(v, h¹) with h² in the place of v, term by term.",
        "return W.T, c, b (as copies).",
    ),
    see=NO_CHANGE,
)
def test_upside_down_swaps_the_biases(student, inputs):
    """The second RBM has the same energy as the first, with its layers exchanged."""
    net = stack(inputs)
    W, b, c = net.W1, net.b1, net.c1
    turned = RBM(W, b, c).transposed()
    expect(
        student.call("upside_down", W=W, b=b, c=c),
        right=(turned.W, turned.b, turned.c),
        misconceptions={
            "The biases are not swapped. The visible layer of the second RBM is h¹, whose biases "
            "were c.": (W.T, b, c),
            "The weights are not transposed: the second RBM leads from h¹ to h², and W from v to "
            "h¹.": (W, c, b),
            "This is the first RBM as it was. It must be turned: its hidden layer becomes the "
            "visible one.": (W, b, c),
            "The biases start from 0 here. They hold how often each cause occurs: without them "
            "p(h¹) is another.": (W.T, 0 * c, 0 * b),
            "The hidden biases start from 0 here. They are the first RBM's visible biases.": (
                (W.T, c, 0 * b)
            ),
            "The signs are turned round. Upside down the energy stays what it was.": (
                (-W.T, -c, -b)
            ),
            "This is the inverse. Upside down asks for the transposed matrix.": (
                (np.linalg.pinv(W), c, b)
            ),
        },
    )


# ---- the likelihood


@pytest.mark.exercise(
    "log_likelihood",
    hints=(
        "Two factors for each state h¹: log p(v | h¹), a table of examples by states, and "
        "log p(h¹), one number for each state. Add them, then sum their exponentials.",
        "log p(h¹) = −F(h¹) − log Z, where Z sums exp(−F) over the same states. And log p(v | h¹) "
        "= Σᵢ (vᵢxᵢ − log(1 + exp xᵢ)) with the field x = b1 + h¹W1'.",
        "np.logaddexp.reduce(log_down + log_p_h, axis=1), with log_down = v @ x.T - "
        "np.logaddexp(0, x).sum(axis=1), x = b1 + states @ W1.T.",
    ),
    see=ANOTHER_LAYER,
)
def test_log_likelihood_sums_over_the_hidden_states(student, inputs):
    """log p(v) = log Σ p(v | h¹) p(h¹), with the second RBM's p(h¹)."""
    net = stack(inputs)
    right = exact_log_likelihood(net.dbn, V)
    down, p_h = net.log_down(), net.log_p_h()
    log_z = log_partition(net.dbn.top)
    mean_h = np.exp(p_h) @ STATES

    def of(stack: Stack) -> np.ndarray:
        return logsumexp(stack.log_down() + stack.log_p_h(), axis=1)

    wrong_down = log_states_given(net.b1 + STATES @ net.W1, V).T
    wrong_top = replace(net, W2=net.W2.T)
    ends = {
        "That is what comes out without the visible biases b1.": of(net.without("b1")),
        "That is what comes out without b2, the biases of h¹ in the second RBM.": (
            of(net.without("b2"))
        ),
        "That is what comes out without the biases c2.": of(net.without("c2")),
        "The weights must be transposed on the way down: h1 @ W1.T.": (
            logsumexp(wrong_down + p_h, axis=1)
        ),
        "The second RBM's weights are transposed: h¹ is its visible layer, h1 @ W2.": of(wrong_top),
    }
    expect(
        student.call("log_likelihood", v=V, **net.given("W1", "b1", "W2", "b2", "c2")),
        right=right,
        misconceptions={
            "This is p(v). What is asked for is its logarithm.": np.exp(right),
            "The sign is turned round: log p(v), not −log p(v).": -right,
            "This is in bits: a logarithm to base 2. Use the natural one.": right / np.log(2),
            "log Z of the second RBM is missing: p(h¹) must add up to 1.": right + log_z,
            "All states h¹ count the same here. Each counts with its p(h¹).": (
                logsumexp(down, axis=1) - 3 * np.log(2)
            ),
            "p(h¹) is missing: this is the logarithm of Σ p(v | h¹).": logsumexp(down, axis=1),
            "This is the mean of the logarithms, Σ p(h¹) log p(v | h¹). Sum the probabilities "
            "first, and take the logarithm once.": down @ np.exp(p_h),
            "This is log p(v | h¹) at the mean of h¹. h¹ runs through all of its states.": (
                log_states_given((net.b1 + mean_h @ net.W1.T)[None, :], V)[0]
            ),
            "The most probable h¹ stands for the whole sum. The others count too.": (
                (down + p_h).max(axis=1)
            ),
            "This is the sum over all rows. Each row has a log p(v) of its own.": right.sum(),
            "This is the mean over all rows. Each row has a log p(v) of its own.": right.mean(),
            "exp(+F) was used. Low free energy means high probability: exp(−F).": (
                logsumexp(down - p_h - logsumexp(-p_h), axis=1)
            ),
            **ends,
        },
    )


@pytest.mark.exercise("log_likelihood", see=ANOTHER_LAYER)
def test_log_likelihood_of_a_network_with_unequal_layers(student, inputs):
    """The states that the sum goes through are those of h¹, whatever is below and above."""
    for layers in UNEQUAL:
        net = stack(inputs, layers)
        answer = student.call("log_likelihood", v=V, **net.given("W1", "b1", "W2", "b2", "c2"))
        expect(answer, right=exact_log_likelihood(net.dbn, V))


@pytest.mark.exercise("log_likelihood", see=ANOTHER_LAYER)
def test_log_likelihood_survives_where_z_is_too_large_for_a_float(student, inputs):
    """log p(v) is finite where Z of the second RBM is not."""
    net = stack(inputs)
    net = replace(net, W2=np.full((3, 3), 500.0))
    answer = student.call("log_likelihood", v=V, **net.given("W1", "b1", "W2", "b2", "c2"))
    value = as_numbers(answer.value)
    if value is not None and not np.isfinite(value).all():
        raise answer.wrong(
            "gives NaN or infinity",
            expected="finite numbers",
            misconception="exp(4500) is no float. Stay with logarithms, and take the largest term "
            "out of a sum before exponentiating: log Σ exp(a) = m + log Σ exp(a − m).",
        )
    expect(answer, right=exact_log_likelihood(net.dbn, V))


# ---- the bound


@pytest.mark.exercise(
    "elbo",
    hints=(
        "Three tables of examples by states h¹: log p(v | h¹), log p(h¹) (the same in each row) "
        "and log q(h¹ | v). The bound is a mean of the first two less the third, under q.",
        "log q(h¹ | v) = Σⱼ (hⱼxⱼ − log(1 + exp xⱼ)) with the field x = c1 + vW1.",
        "(np.exp(log_q) * (log_down + log_p_h - log_q)).sum(axis=1).",
    ),
    see=BOUND,
)
def test_elbo_is_the_mean_of_the_log_weights_under_q(student, inputs):
    """ELBO(v) is the mean under q of log p(v, h¹) − log q(h¹ | v)."""
    net = stack(inputs)
    right = exact_bound(net.dbn, V)
    down, q, p_h = net.log_down(), net.log_q(), net.log_p_h()
    joint = down + p_h
    m = net.dbn.up(V, depth=1)[0]
    entropy = -(np.exp(q) * q).sum(axis=1)
    at_mean = (V * (net.b1 + m @ net.W1.T) - softplus(net.b1 + m @ net.W1.T)).sum(axis=1)
    top_at_mean = m @ net.b2 + softplus(net.c2 + m @ net.W2).sum(axis=1)
    log_z = log_partition(net.dbn.top)

    def mean(q: np.ndarray, of: np.ndarray) -> np.ndarray:
        return (np.exp(q) * of).sum(axis=1)

    def bound(stack: Stack) -> np.ndarray:
        q = stack.log_q()
        return mean(q, stack.log_down() + stack.log_p_h() - q)

    crossed = log_states_given(net.c1 + V @ net.W1.T, STATES)
    expect(
        student.call("elbo", v=V, **net.given()),
        right=right,
        misconceptions={
            "The sign is turned round: the bound lies below log p(v), so below 0.": -right,
            "This is in bits: a logarithm to base 2. Use the natural one.": right / np.log(2),
            "This is log p(v) itself, the logarithm of the sum. The bound is the mean of the "
            "logarithms.": logsumexp(joint, axis=1),
            "This is log p(v) of the first RBM alone, with its own p(h¹). In the network p(h¹) is "
            "the second RBM's.": log_likelihood(net.dbn.rbms[0], V),
            "− log q(h¹ | v) is missing: without the entropy of q it is too low.": (mean(q, joint)),
            "log q(h¹ | v) must be subtracted: the weight is p(v, h¹) / q(h¹ | v).": (
                mean(q, joint + q)
            ),
            "log p(h¹) is missing: this is only how well v comes back, and the entropy.": (
                mean(q, down - q)
            ),
            "This is only how well v comes back, Σ q log p(v | h¹).": mean(q, down),
            "log p(v | h¹) is missing.": mean(q, p_h - q),
            "log Z of the second RBM is missing: p(h¹) must add up to 1.": right + log_z,
            "All h¹ count the same here. Each counts with q(h¹ | v).": (joint - q).mean(axis=1),
            "The log weights are added up. Each counts with q(h¹ | v).": (joint - q).sum(axis=1),
            "The mean of h¹ is put in the place of its states. The mean of a function is not the "
            "function of the mean: sum over all h¹.": at_mean + top_at_mean - log_z + entropy,
            "The mean of h¹ is put in the place of its states in log p(v | h¹). Sum over all "
            "h¹.": at_mean + mean(q, p_h - q),
            "The mean under the model's p(h¹) is taken, not under q(h¹ | v).": (
                ((joint - q) * np.exp(p_h)).sum(axis=1)
            ),
            "This is the sum over all rows. Each row has a bound of its own.": right.sum(),
            "This is the mean over all rows. Each row has a bound of its own.": right.mean(),
            "That is what comes out without c1 in q.": bound(net.without("c1")),
            "That is what comes out without the visible biases b1.": bound(net.without("b1")),
            "That is what comes out without b2, the biases of h¹ in the second RBM.": (
                bound(net.without("b2"))
            ),
            "That is what comes out without the biases c2.": bound(net.without("c2")),
            "The weights in q are transposed: upward it is v @ W1.": (
                mean(crossed, joint - crossed)
            ),
            "The weights must be transposed on the way down: h1 @ W1.T.": (
                mean(q, log_states_given(net.b1 + STATES @ net.W1, V).T + p_h - q)
            ),
        },
    )


@pytest.mark.exercise("elbo", see=BOUND)
def test_elbo_of_a_network_with_unequal_layers(student, inputs):
    """The mean is one over the states of h¹, whatever is below and above."""
    for layers in UNEQUAL:
        net = stack(inputs, layers)
        expect(student.call("elbo", v=V, **net.given()), right=exact_bound(net.dbn, V))


@pytest.mark.exercise("elbo", see=BOUND)
def test_elbo_survives_a_certain_q(student, inputs):
    """Where q is certain of a unit the bound is finite: 0 · log 0 counts as 0."""
    net = stack(inputs)
    certain = np.full(3, -500.0)
    net = replace(net, W1=1000 * np.eye(3), b1=certain, c1=certain)
    answer = student.call("elbo", v=V, **net.given())
    value = as_numbers(answer.value)
    if value is not None and not np.isfinite(value).all():
        raise answer.wrong(
            "gives NaN or infinity",
            expected="finite numbers",
            misconception="0 · log 0 came out as NaN. Compute log q without going through q: "
            "log σ(x) = −log(1 + exp(−x)) is finite, and np.logaddexp gives it.",
        )
    expect(answer, right=exact_bound(net.dbn, V))


@pytest.mark.exercise(
    "gap",
    hints=(
        "Two distributions over the states of h¹, for each row: q(h¹ | v), which you have, and the "
        "posterior p(h¹ | v) ∝ p(v | h¹) p(h¹).",
        "log p(h¹ | v) = log p(v | h¹) + log p(h¹) − log p(v): normalise over the states.",
        "(np.exp(log_q) * (log_q - log_posterior)).sum(axis=1). Or remember what the gap is the "
        "difference of.",
    ),
    see=BOUND,
)
def test_gap_is_the_divergence_of_q_from_the_posterior(student, inputs):
    """log p(v) − ELBO(v) is KL(q(h¹ | v) ‖ p(h¹ | v))."""
    net = stack(inputs)
    log_p, bound = exact_log_likelihood(net.dbn, V), exact_bound(net.dbn, V)
    right = log_p - bound
    q, p_h = net.log_q(), net.log_p_h()
    joint = net.log_down() + p_h
    posterior = joint - logsumexp(joint, axis=1, keepdims=True)

    def divergence(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (np.exp(a) * (a - b)).sum(axis=1)

    expect(
        student.call("gap", v=V, **net.given()),
        right=right,
        misconceptions={
            "This is KL(p ‖ q), the mean under the posterior. The gap is the mean under q.": (
                divergence(posterior, q)
            ),
            "The sign is turned round: log p(v) lies above its bound.": -right,
            "This is in bits: a logarithm to base 2. Use the natural one.": right / np.log(2),
            "The posterior is not divided by p(v): this is −ELBO(v). p(h¹ | v) must add up to 1 "
            "over h¹.": -bound,
            "This is the divergence from p(h¹), the distribution without v. The gap looks at the "
            "posterior p(h¹ | v).": divergence(q, p_h[None, :]),
            "The gap is 0 here: was the posterior taken from the first RBM? Its p(h¹ | v) is q "
            "itself. The network's is not.": 0 * right,
            "The states of h¹ are not weighted. Each counts with q(h¹ | v).": (
                (q - posterior).sum(axis=1)
            ),
            "All states of h¹ count the same. Each counts with q(h¹ | v).": (
                (q - posterior).mean(axis=1)
            ),
            "This is the mean over the states where the sum belongs: q adds up to 1 already.": (
                right / 8
            ),
            "This is the sum over all rows. Each row has a gap of its own.": right.sum(),
            "This is the mean over all rows. Each row has a gap of its own.": right.mean(),
            "This is the cross-entropy, −Σ q log p(h¹ | v). The entropy of q is to be taken off.": (
                -(np.exp(q) * posterior).sum(axis=1)
            ),
            "This is both directions added, KL(q ‖ p) + KL(p ‖ q).": (
                right + divergence(posterior, q)
            ),
            "log p(v) is that of the first RBM alone here. The network's p(h¹) is the second "
            "RBM's.": log_likelihood(net.dbn.rbms[0], V) - bound,
        },
    )


@pytest.mark.exercise("gap", see=NO_CHANGE)
def test_gap_is_zero_for_the_second_rbm_that_changes_nothing(student, inputs):
    """With the first RBM upside down on top, the posterior is q, and the bound is tight.

    With other hidden biases in the first one it is not.
    """
    net = stack(inputs, (3, 2, 3))
    net = replace(net, W2=net.W1.T.copy(), b2=net.c1, c2=net.b1)
    expect(student.call("gap", v=V, **net.given()), right=np.zeros(len(V)))
    moved = replace(net, c1=-net.c1)
    right = exact_log_likelihood(moved.dbn, V) - exact_bound(moved.dbn, V)
    expect(
        student.call("gap", v=V, **moved.given()),
        right=right,
        misconceptions={
            "The gap is 0 for one stack, but not for every one: here c1 is not the b2 on top.": (
                0 * right
            ),
        },
    )


# ---- draws from q


def margin(p: np.ndarray, x: np.ndarray, n: int, n_judgements: int) -> np.ndarray:
    """How far the mean of n draws may be from its expectation, for each row of values x.

    Bernstein's inequality: P(|mean − μ| ≥ t) ≤ 2 exp(−n t² / (2 σ² + ⅔ M t)), at `ERROR_RATE`.
    """
    distance = np.abs(x - (p * x).sum(axis=1, keepdims=True))
    variance = (p * distance**2).sum(axis=1)
    log_rate = np.log(2 * n_judgements / ERROR_RATE)
    half = distance.max(axis=1) * log_rate / 3
    return (half + np.sqrt(half**2 + 2 * n * variance * log_rate)) / n


def log_weights(net: Stack, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """q and log w for each row and each state of h¹."""
    q = net.log_q(v)
    return np.exp(q), net.log_down(v) + net.log_p_h() - q


def wide_gap(net: Stack) -> bool:
    """Whether log w varies as much as is needed to tell the bound from log p(v), and not wildly."""
    q, log_w = log_weights(net, V[:2])
    bound = (q * log_w).sum(axis=1)
    variance = (q * (log_w - bound[:, None]) ** 2).sum(axis=1)
    gap = np.log((q * np.exp(log_w)).sum(axis=1)) - bound
    spread = (q * np.exp(2 * (log_w - bound[:, None] - gap[:, None]))).sum(axis=1)  # E[w²] / E[w]²
    return bool((gap > 0.4).all() and variance[0] > 1.6 and (spread < 20).all())


@pytest.mark.exercise(
    "elbo_estimate",
    points=3,
    hints=(
        "No sum over all h¹ any more: draw h¹ ~ q(h¹ | v) n_samples times for each row, compute "
        "log w for each draw, and average.",
        "For pairs of rows: log p(v | h¹) = Σᵢ (vᵢxᵢ − log(1 + exp xᵢ)) with x = b1 + h¹W1'; "
        "log q(h¹ | v) likewise with the field c1 + vW1; log p(h¹) = −F(h¹) − log_z.",
        "With log_w of shape (n_samples, n_examples): log_w.mean(axis=0), and "
        "log_w.std(axis=0, ddof=1) / np.sqrt(n_samples).",
    ),
    see=TOO_WIDE,
)
def test_elbo_estimate_averages_the_log_weights(student, inputs):
    """The mean of log w over draws from q is the ELBO up to chance, and says how large that is."""
    net, v, n = first_good(lambda: stack(inputs, size=1.2), wide_gap), V[:2], N_DRAWS
    answer = student.call(
        "elbo_estimate",
        v=v,
        n_samples=n,
        **net.given(),
        log_z=float(log_partition(net.dbn.top)),
        rng=Seed(int(inputs.integers(2**31))),
    )
    q, log_w = log_weights(net, v)
    bound = exact_bound(net.dbn, v)
    off = (log_w - bound[:, None]) ** 2
    variance = (q * off).sum(axis=1)
    near = margin(q, log_w, n, 2 * len(v))
    # Σ (log w − ELBO)² / n is near σ², and the sample's variance lies below it by (mean − ELBO)².
    near_variance = margin(q, off, n, 2 * len(v))
    least = np.sqrt(np.maximum(variance - near_variance - near**2, 0) / n)
    most = np.sqrt((variance + near_variance) / (n - 1))

    refuse_one_number(answer)
    value, error = answer.array((len(v),), 0, 2), answer.array((len(v),), 1, 2)
    expected = (
        f"value: {np.round(bound, 3)}, up to {np.round(near, 3)}\n"
        f"standard error: {np.round(np.sqrt(variance / n), 4)}"
    )
    if (np.abs(error) < 1e-9).all():
        raise answer.wrong(
            "does not vary",
            expected=expected,
            misconception="The standard error is 0: nothing varies. Is h¹ drawn, or does its mean, "
            "rounded or not, stand in its place?",
        )
    if not (np.abs(value - bound) <= near).all():
        with np.errstate(all="ignore"):  # a wrong answer may be of any size
            far = {
                text: float((np.abs(value - other) / near).max())
                for text, other in known_values(net, v, q, log_w).items()
            }
        nearest = min(far, key=far.get)
        raise answer.wrong(
            "gives a wrong value",
            expected=expected,
            misconception=nearest if far[nearest] < 3 else "",
        )
    if not ((least <= error) & (error <= most)).all():
        known = {
            "This is the standard deviation of log w. That of their mean is √n_samples times "
            "smaller.": np.sqrt(n),
            "This is the variance of log w. The standard error is the root of the variance by "
            "n_samples.": np.sqrt(variance * n),
            "This is the variance of the mean. The standard error is its root.": np.sqrt(
                variance / n
            ),
            "The standard deviation is to be divided by √n_samples, not by n_samples.": n**-0.5,
            "This is divided by the number of rows too. Each row has a standard error of its "
            "own.": 1 / len(v),
        }
        ratio = error / np.sqrt(variance / n)
        named = (text for text, other in known.items() if np.allclose(ratio, other, rtol=0.15))
        raise answer.wrong(
            "gives a wrong standard error", expected=expected, misconception=next(named, "")
        )
    if answer.changed:
        expect(answer, right=tuple(answer.value))


def refuse_one_number(answer: Answer) -> None:
    """StudentError with a sentence if the first part is one number for all rows."""
    parts = answer.value if isinstance(answer.value, (tuple, list)) else [None]
    array = as_numbers(parts[0]) if parts else None
    if array is not None and array.shape == ():
        raise answer.wrong(
            "gives something of the wrong shape",
            expected="a tuple of two arrays, each with one number for each row of v",
            misconception="One number comes back for all rows. Each row has a bound of its own.",
        )


def known_values(
    net: Stack, v: np.ndarray, q: np.ndarray, log_w: np.ndarray
) -> dict[str, np.ndarray]:
    """What misconceptions lead to in the place of the ELBO."""
    log_q, p_h, down = net.log_q(v), net.log_p_h(), net.log_down(v)
    bound = (q * log_w).sum(axis=1)
    log_z = log_partition(net.dbn.top)

    def mean(of: np.ndarray) -> np.ndarray:
        return (q * of).sum(axis=1)

    return {
        "This is the logarithm of the mean of w, which tends to log p(v). The bound is the mean of "
        "log w.": np.log((q * np.exp(log_w)).sum(axis=1)),
        "This is the mean of w, which is p(v). The bound is the mean of log w.": (
            (q * np.exp(log_w)).sum(axis=1)
        ),
        "− log q(h¹ | v) is missing in log w.": mean(down + p_h),
        "log q(h¹ | v) must be subtracted: w = p(v, h¹) / q(h¹ | v).": mean(down + p_h + log_q),
        "log_z is not subtracted: log p(h¹) = −F(h¹) − log Z.": bound + log_z,
        "log_z must be subtracted: log p(h¹) = −F(h¹) − log Z.": bound + 2 * log_z,
        "log p(h¹) is missing in log w.": mean(down - log_q),
        "log p(v | h¹) is missing in log w.": mean(p_h - log_q),
        "All states of h¹ come equally often. They are to be drawn from q(h¹ | v).": (
            log_w.mean(axis=1)
        ),
        "The sign is turned round.": -bound,
        "This is the sum over the draws. The mean is asked for.": N_DRAWS * bound,
        "This is in bits: a logarithm to base 2. Use the natural one.": bound / np.log(2),
    }


@pytest.mark.exercise(
    "elbo_estimate", see=TOO_WIDE, after="test_elbo_estimate_averages_the_log_weights"
)
def test_elbo_estimate_draws_from_the_generator_it_is_given(student, inputs):
    """The same generator gives the same estimate: all randomness comes from `rng`."""
    for layers in UNEQUAL:
        net = stack(inputs, layers)
        given = {**net.given(), "log_z": float(log_partition(net.dbn.top)), "n_samples": 20}
        judge_randomness(
            lambda rng, given=given: student.call("elbo_estimate", v=V, **given, rng=rng),
            shape=(len(V),),
            part=0,
            n_parts=2,
        )


# ---- down


def after_chain(
    net: Stack, start: int, n_steps: int, below: np.ndarray | None = None
) -> np.ndarray:
    """Probability of each state of v, for a chain from state number `start` of h¹."""
    rise = np.exp(log_states_given(net.c2 + STATES @ net.W2, STATES))  # p(h² | h¹)
    fall = np.exp(log_states_given(net.b2 + STATES @ net.W2.T, STATES))  # p(h¹ | h²)
    p_h1 = np.linalg.matrix_power(rise @ fall, n_steps)[start]
    return p_h1 @ (np.exp(net.log_down(STATES)).T if below is None else below)


def known_chains(net: Stack, start: int, n_steps: int) -> dict[str, np.ndarray]:
    """What misconceptions about sampling lead to: probabilities of the states of v."""
    rise = np.exp(log_states_given(net.c2 + STATES @ net.W2, STATES))
    # v's distribution where the last h¹ hands down its means, for each h²
    m = sigmoid(net.b2 + STATES @ net.W2.T)
    by_means = np.exp(log_states_given(net.b1 + m @ net.W1.T, STATES))
    fall = np.exp(log_states_given(net.b2 + STATES @ net.W2.T, STATES))
    before = np.linalg.matrix_power(rise @ fall, n_steps - 1)[start]
    down = np.exp(net.log_down(STATES)).T
    h2_mean = sigmoid(net.c2 + STATES @ net.W2)
    mean_field = np.exp(log_states_given(net.b2 + h2_mean @ net.W2.T, STATES))
    # up and down between v and h¹, as in the first RBM, with the biases at hand
    lower = down @ np.exp(log_states_given(net.b2 + STATES @ net.W1, STATES))
    wrong_down = np.exp(log_states_given(net.b1 + STATES @ net.W1, STATES))
    opposite = np.linalg.matrix_power(rise[:, ::-1] @ fall[:, ::-1], n_steps)
    fewer = after_chain(net, start, n_steps - 1)
    return {
        "The chain does not move: this is a draw from p(v | h¹) at the start.": down[start],
        "The hidden units h² hand down their probabilities, not their states: h² is not drawn.": (
            np.linalg.matrix_power(mean_field, n_steps)[start] @ down
        ),
        "The last h¹ hands down its probabilities, not its states: h¹ is not drawn.": (
            before @ rise @ by_means
        ),
        "The chain runs in the first RBM, between v and h¹. It runs in the second, between h¹ and "
        "h²; then one goes down once.": np.linalg.matrix_power(lower, n_steps)[start] @ down,
        "The visible biases b1 are missing on the way down.": (
            after_chain(net.without("b1"), start, n_steps)
        ),
        "The biases b2 of h¹ are missing in the chain.": (
            after_chain(net.without("b2"), start, n_steps)
        ),
        "The biases c2 of h² are missing in the chain.": (
            after_chain(net.without("c2"), start, n_steps)
        ),
        "The biases b2 and c2 are exchanged: b2 belongs to h¹.": (
            after_chain(replace(net, b2=net.c2, c2=net.b2), start, n_steps)
        ),
        "What comes back are the states of h¹. One draw of v given h¹ is missing.": (
            before @ rise @ fall
        ),
        "The weights must be transposed on the way down: h1 @ W1.T.": (
            before @ rise @ fall @ wrong_down
        ),
        "The weights of the second RBM are transposed: up it is h1 @ W2, down h2 @ W2.T.": (
            after_chain(replace(net, W2=net.W2.T), start, n_steps)
        ),
        "Each unit is on where the random number is larger than p, so with the probability "
        "1 − p.": opposite[start] @ down[:, ::-1],
        "The chain takes one step too many.": after_chain(net, start, n_steps + 1),
        **({"The chain takes one step too few.": fewer} if n_steps > 1 else {}),
    }


@pytest.mark.exercise(
    "sample",
    hints=(
        "The chain lives in the two top layers and does not know W1. Only when it has ended do you "
        "go down, once.",
        "A step: h² drawn with σ(c2 + h1 @ W2), then h¹ drawn with σ(b2 + h2 @ W2.T).",
        "After the loop: p = σ(b1 + h1 @ W1.T); return (rng.random(p.shape) < p) * 1.0.",
    ),
    see=FROM_THE_TOP,
)
@pytest.mark.parametrize("n_steps", [1, 6])
def test_sample_runs_the_top_and_goes_down_once(student, inputs, n_steps):
    """After n steps in the second RBM and one draw down, each v comes as often as it should."""
    start = 5  # 101

    def told_apart(net: Stack) -> bool:
        known = np.array([after_chain(net, start, 1), *known_chains(net, start, 1).values()])
        distances = np.abs(known[:, None] - known).max(axis=2) + np.eye(len(known))
        return distances[0].min() > 0.06 and distances.min() > 0.04

    net = first_good(lambda: balanced(inputs), told_apart)
    h1 = np.repeat(STATES[start : start + 1], N_DRAWS, axis=0)
    given = net.given("W1", "b1", "W2", "b2", "c2")
    answer = student.call(
        "sample", h1=h1, n_steps=n_steps, **given, rng=Seed(int(inputs.integers(2**31)))
    )
    value = as_numbers(answer.value)
    if value is not None and value.shape == h1.shape and ((value > 0) & (value < 1)).all():
        raise answer.wrong(
            "gives values that are no states",
            expected=f"an array of shape {h1.shape}, of 0 and 1",
            misconception="These are probabilities. The last draw is missing: 1 with the "
            "probability p, else 0.",
        )
    expect_draws(
        answer,
        right=after_chain(net, start, n_steps),
        n_draws=N_DRAWS,
        values={"This is where the chain was: nothing has been drawn.": h1},
        misconceptions=known_chains(net, start, n_steps),
    )


@pytest.mark.exercise(
    "sample", see=FROM_THE_TOP, after="test_sample_runs_the_top_and_goes_down_once"
)
def test_sample_draws_from_the_generator_it_is_given(student, inputs):
    """The same generator gives the same draws: all randomness comes from `rng`."""
    for layers in UNEQUAL:
        given = stack(inputs, layers).given("W1", "b1", "W2", "b2", "c2")
        given["h1"] = inputs.choice([0.0, 1.0], (200, layers[1]))
        judge_randomness(
            lambda rng, given=given: student.call("sample", n_steps=3, **given, rng=rng),
            shape=(200, layers[0]),
        )
