"""What a learner must have understood about the binary RBM, one test a claim."""

from __future__ import annotations

import numpy as np
import pytest

from dbnlib.exact import log_partition, visible_distribution
from dbnlib.gradients import ExactGradient
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, sigmoid, softplus
from exercises.grading import Seed, expect, expect_draws
from exercises.grading.drawing import first_good, judge_randomness, large, numbers

STATES = Bernoulli(3).states(0, 8)
V = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
H = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
N_DRAWS = 10_000

# Sections of the notebook.
TWO_LAYERS = "Two layers, and no weights inside them"
CONDITIONALS = "The conditionals, derived"
FREE_ENERGY = "The free energy"
LIKELIHOOD = "The exact likelihood"
GRADIENT = "The gradient, derived"
SAMPLING = "A whole layer in one go"


def machine(
    inputs: np.random.Generator, n_visible: int = 3, n_hidden: int = 3, *, size: float = 1.0
) -> RBM:
    """A small machine none of whose numbers is near 0, so that whatever is forgotten is missed."""
    shapes = (n_visible, n_hidden), (n_visible,), (n_hidden,)
    return RBM(*(numbers(inputs, *shape, size=size) for shape in shapes))


def parameters(rbm: RBM) -> dict[str, np.ndarray]:
    """W, b and c as arguments."""
    return {"W": rbm.W, "b": rbm.b, "c": rbm.c}


def gradient(rbm: RBM, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The exact gradient by W, b and c."""
    found = ExactGradient().gradient(rbm, v, np.random.default_rng(0))
    return found.W, found.b, found.c


# ---- conditionals


@pytest.mark.exercise(
    "hidden_mean",
    hints=(
        "Write the field first: one number for each example and each hidden unit.",
        "The field of all examples is the product v @ W, plus c; NumPy adds c to each row.",
        "Then σ: 1 / (1 + np.exp(-x)) is right for small fields; ½(1 + tanh(x/2)) for all.",
    ),
    see=CONDITIONALS,
)
def test_hidden_mean_is_the_sigmoid_of_bias_plus_weighted_input(student, inputs):
    """Given the visible units, each hidden unit is on with the probability σ(field)."""
    rbm = machine(inputs)
    W, c = rbm.W, rbm.c
    x = c + V @ W
    expect(
        student.call("hidden_mean", v=V, W=W, c=c),
        right=rbm.hidden_mean(V),
        misconceptions={
            "That is what comes out without the hidden bias c.": sigmoid(V @ W),
            "The sign of the field is turned round: σ(−x) = 1 − σ(x).": sigmoid(-x),
            "The weights are transposed: hidden units feel vW, and W is (n_visible, n_hidden).": (
                sigmoid(c + V @ W.T)
            ),
            "This is the field x itself. A probability is σ(x), between 0 and 1.": x,
            "This is tanh(x), which lies between −1 and 1; σ(x) lies between 0 and 1.": np.tanh(x),
            "This is a softmax over the hidden units, as if exactly one of them were on. In an RBM "
            "each is on or off for itself: a sigmoid for each.": np.exp(x)
            / np.exp(x).sum(axis=1, keepdims=True),
            "This is a threshold, not a probability: σ(x) is still to be taken.": x > 0,
        },
    )


@pytest.mark.exercise("hidden_mean", see=CONDITIONALS)
def test_hidden_mean_survives_large_fields(student, inputs):
    """A field of some ±10,000 gives 0 or 1, and no NaN."""
    W = inputs.permutation([large(inputs), -large(inputs), inputs.uniform(-1, 1)])[None, :]
    v = np.ones((1, 1))
    expect(
        student.call("hidden_mean", v=v, W=W, c=np.zeros(3)),
        right=sigmoid(W),
        misconceptions={
            "exp(x) / (1 + exp(x)) is infinity by infinity for large x. Write 1 / (1 + exp(−x)), "
            "or ½(1 + tanh(x/2)).": np.where(W > 1000, np.nan, sigmoid(W)),
        },
    )


@pytest.mark.exercise(
    "visible_mean",
    hints=(
        "The machine is the same seen from the other side: which bias, and which way round is W?",
        "Shapes lead the way: (n, n_hidden) @ (n_hidden, n_visible).",
        "σ(b + h @ W.T).",
    ),
    see=CONDITIONALS,
)
def test_visible_mean_goes_through_the_transposed_weights(student, inputs):
    """Given the hidden units, each visible unit is on with the probability σ(b + hW')."""
    rbm = machine(inputs)
    W, b = rbm.W, rbm.b
    expect(
        student.call("visible_mean", h=H, W=W, b=b),
        right=rbm.visible_mean(H),
        misconceptions={
            "That is what comes out without the visible bias b.": sigmoid(H @ W.T),
            "The weights must be transposed on the way down: h @ W.T. (With as many visible as "
            "hidden units, no error of shapes warns of it.)": sigmoid(b + H @ W),
            "The sign of the field is turned round: σ(−x) = 1 − σ(x).": sigmoid(-(b + H @ W.T)),
            "This is the field x itself. A probability is σ(x), between 0 and 1.": b + H @ W.T,
            "This is a threshold, not a probability: σ(x) is still to be taken.": b + H @ W.T > 0,
        },
    )


# ---- energies


@pytest.mark.exercise(
    "energy",
    hints=(
        "Three terms, each with a minus. The first two are products with a bias vector.",
        "v'Wh for one pair is a number; for paired rows, multiply v @ W and h entry by entry.",
        "-(v @ b) - (h @ c) - ((v @ W) * h).sum(axis=1).",
    ),
    see=TWO_LAYERS,
)
def test_energy_of_each_pair_of_rows(student, inputs):
    """E(v, h) = −b'v − c'h − v'Wh: one number for each pair of rows."""
    rbm = machine(inputs)
    W, b, c = rbm.W, rbm.b, rbm.c
    right = rbm.energy(V, H)
    bilinear = ((V @ W) * H).sum(axis=1)
    expect(
        student.call("energy", v=V, h=H, W=W, b=b, c=c),
        right=right,
        misconceptions={
            "The sign is turned round: what belongs together has a low energy, so each term has a "
            "minus.": -right,
            "That is what comes out without the term of the visible biases, −b'v.": right + V @ b,
            "That is what comes out without the term of the hidden biases, −c'h.": right + H @ c,
            "These are only the biases: the term −v'Wh is missing.": right + bilinear,
            "This is only the term −v'Wh: the biases are missing.": -bilinear,
            "This is each row of v with each row of h. Rows are pairs: only the diagonal is asked "
            "for.": -(V @ W @ H.T) - (V @ b)[:, None] - H @ c,
            "This is each row of v with each row of h in the term v'Wh, with the biases of one.": (
                -(V @ W @ H.T) - V @ b - H @ c
            ),
            "This is the sum over all rows. Each row has an energy of its own.": right.sum(),
            "This is the mean over all rows. Each row has an energy of its own.": right.mean(),
            "The ½ belongs to a general Boltzmann machine, whose sum has each pair twice. In an "
            "RBM each weight counts once.": right + bilinear / 2,
            "The biases are exchanged: b belongs to v, c to h.": -V @ c - H @ b - bilinear,
        },
    )


@pytest.mark.exercise(
    "free_energy",
    points=2,
    hints=(
        "Sum exp(−E(v, h)) over both values of one hidden unit: 1 + exp(its field). Units that are "
        "independent multiply, so their logarithms add.",
        "F(v) = −b'v − Σⱼ softplus(xⱼ): the sum goes over hidden units, so over axis 1.",
        "softplus(x) = log(1 + eˣ) is np.logaddexp(0, x), which overflows nowhere.",
    ),
    see=FREE_ENERGY,
)
def test_free_energy_sums_out_the_hidden_units(student, inputs):
    """exp(−F(v)) is the sum of exp(−E(v, h)) over all hidden states."""
    rbm = machine(inputs, 3, 4)
    W, b, c = rbm.W, rbm.b, rbm.c
    x = c + V @ W
    right = rbm.free_energy(V)
    hidden = softplus(x).sum(axis=1)
    expect(
        student.call("free_energy", v=V, W=W, b=b, c=c),
        right=right,
        misconceptions={
            "The sign is turned round: exp(−F) is the unnormalised probability.": -right,
            "That is what comes out without the visible biases' term −b'v.": -hidden,
            "The hidden part must be subtracted as well: both terms of F have a minus.": (
                -V @ b + hidden
            ),
            "The visible part must be subtracted as well: both terms of F have a minus.": (
                V @ b - hidden
            ),
            "That is what comes out without the hidden biases c.": (
                -V @ b - softplus(V @ W).sum(axis=1)
            ),
            "This is in bits: a logarithm to base 2. Energies are in nats, so the natural "
            "logarithm.": -V @ b - hidden / np.log(2),
            "The whole is in bits: a logarithm to base 2. Energies are in nats.": right / np.log(2),
            "The 1 is missing in log(1 + exp(x)), so that only the state with all hidden units on "
            "counts.": -V @ b - x.sum(axis=1),
            "This is the energy at the mean of h. The free energy is lower by the entropy of h: "
            "it sums over all hidden states.": rbm.energy(V, sigmoid(x)),
            "The sum over hidden units stands inside the logarithm: log(1 + Σ exp). Each unit has "
            "a logarithm of its own.": -V @ b - np.log1p(np.exp(x).sum(axis=1)),
            "This is the mean over the hidden units where a sum belongs.": (
                -V @ b - softplus(x).mean(axis=1)
            ),
            "The sum goes over the wrong axis: over examples (0), not over hidden units (1).": (
                (-V @ b)[:, None] - softplus(x).sum(axis=0)
            ),
            "The sum over the hidden units is missing: one number for each example.": (
                (-V @ b)[:, None] - softplus(x)
            ),
            "This is exp(−F), the unnormalised probability; its negative logarithm is F.": (
                np.exp(-right)
            ),
        },
    )


@pytest.mark.exercise("free_energy", see=FREE_ENERGY)
def test_free_energy_survives_large_fields(student, inputs):
    """A field of some ±10,000 gives a finite free energy."""
    W = inputs.permutation([[large(inputs)], [-large(inputs)]])
    v = np.eye(2)
    nothing = {"b": np.zeros(2), "c": np.zeros(1)}
    expect(
        student.call("free_energy", v=v, W=W, **nothing),
        right=-np.maximum(W[:, 0], 0),
        misconceptions={
            "exp(10000) is no float. log(1 + exp(x)) is np.logaddexp(0, x), which overflows "
            "nowhere.": np.where(W[:, 0] > 0, -np.inf, 0),
        },
    )


# ---- the likelihood


@pytest.mark.exercise(
    "log_partition",
    points=2,
    hints=(
        "You need all visible states, one a row: itertools.product([0, 1], repeat=n_visible).",
        "Z = Σ_v exp(−F(v)): your free_energy has summed out the hidden units already.",
        "log Σ exp(a) = m + log Σ exp(a − m), with m the largest of a.",
    ),
    see=LIKELIHOOD,
)
def test_log_partition_sums_over_all_states_of_both_layers(student, inputs):
    """Z is the sum of exp(−E) over all states of both layers, and log Z its logarithm."""
    rbm = machine(inputs, 3, 4, size=0.5)  # so that each state has a part in Z
    W, b, c = rbm.W, rbm.b, rbm.c
    right = log_partition(rbm)
    minus_F = -rbm.free_energy(STATES)
    at_mean = -rbm.energy(STATES, rbm.hidden_mean(STATES))
    expect(
        student.call("log_partition", W=W, b=b, c=c),
        right=right,
        misconceptions={
            "This is Z. What is asked for is its logarithm.": np.exp(right),
            "The sign is turned round: log Z, not −log Z.": -right,
            "This is in bits: a logarithm to base 2. Use the natural one.": right / np.log(2),
            "This is the logarithm of the mean over states. Z is a sum.": right - 3 * np.log(2),
            "The logarithm of a sum is not the sum of logarithms: exponentiate, add, and take the "
            "logarithm once.": minus_F.sum(),
            "exp(+F) was summed. Low energy means high probability: exp(−F).": (
                np.log(np.exp(-minus_F).sum())
            ),
            "The largest term stands for the whole sum. The others count too.": minus_F.max(),
            "The energies were taken at the mean of h. For each v, h runs through all of its "
            "states: that is what the free energy sums.": np.log(np.exp(at_mean).sum()),
            "The state with all visible units off is missing. It counts like any other.": (
                np.log(np.exp(minus_F[1:]).sum())
            ),
            "The visible biases are left out.": log_partition(RBM(W, np.zeros(3), c)),
            "The hidden biases are left out.": log_partition(RBM(W, b, np.zeros(4))),
        },
    )


@pytest.mark.exercise("log_partition", see=LIKELIHOOD)
def test_log_partition_of_a_machine_with_more_visible_units(student, inputs):
    """Whichever layer is the larger, the states are those of the visible one."""
    rbm = machine(inputs, 3, 2)
    expect(student.call("log_partition", **parameters(rbm)), right=log_partition(rbm))


@pytest.mark.exercise("log_partition", see=LIKELIHOOD)
def test_log_partition_survives_where_z_is_too_large_for_a_float(student, inputs):
    """log Z is finite where Z is not."""
    rbm = RBM(inputs.integers(300, 700, (2, 2)).astype(float), np.zeros(2), np.zeros(2))
    expect(
        student.call("log_partition", **parameters(rbm)),
        right=log_partition(rbm),
        misconceptions={
            "exp(2000) is no float. Take the largest term out of the sum before exponentiating: "
            "log Σ exp(a) = m + log Σ exp(a − m).": np.inf,
        },
    )


@pytest.mark.exercise(
    "log_likelihood_gradient",
    points=3,
    hints=(
        "Two means of the same thing, v'h: once over your data, once over all visible states, each "
        "weighted with its probability. In both, h is its mean given v.",
        "p(v) = exp(−F(v) − log Z) for each of the 2ⁿ visible states.",
        "states.T @ (p[:, None] * hidden_mean(states, W, c)) is the model's part for W; the "
        "data's is v.T @ hidden_mean(v, W, c) / len(v).",
    ),
    see=GRADIENT,
)
def test_gradient_is_the_mean_under_the_data_less_that_under_the_model(student, inputs):
    """The gradient compares what the data do with what the model does on its own."""
    rbm = machine(inputs)
    W, b, c = rbm.W, rbm.b, rbm.c
    dW, db, dc = gradient(rbm, V)
    h = rbm.hidden_mean(V)
    positive = (V.T @ h / len(V), V.mean(axis=0), h.mean(axis=0))
    h_all = rbm.hidden_mean(STATES)
    uniform = (STATES.T @ h_all / 8, STATES.mean(axis=0), h_all.mean(axis=0))
    unnormalised = np.exp(-rbm.free_energy(STATES))
    weighted = (STATES.T @ (unnormalised[:, None] * h_all), unnormalised @ STATES)
    weighted = (*weighted, unnormalised @ h_all)
    v_model, h_model = positive[1] - db, positive[2] - dc

    def data_less(model: tuple) -> tuple:
        return tuple(p - m for p, m in zip(positive, model, strict=True))

    expect(
        student.call("log_likelihood_gradient", v=V, W=W, b=b, c=c),
        right=(dW, db, dc),
        misconceptions={
            "The sign is turned round: this is model minus data, and it walks downhill.": (
                (-dW, -db, -dc)
            ),
            "This is only the data's part. Without the model's part the weights grow for ever.": (
                positive
            ),
            "This is the sum over the examples (data and model alike); the mean is asked "
            "for.": tuple(len(V) * part for part in (dW, db, dc)),
            "The data's part is a sum over the examples and the model's a mean. Divide by the "
            "number of examples.": tuple(
                len(V) * p - (p - g) for p, g in zip(positive, (dW, db, dc), strict=True)
            ),
            "In the model's part all visible states count the same. Each counts with its "
            "probability p(v).": data_less(uniform),
            "The model's part is not divided by Z: the weights of the states must add up to "
            "1.": data_less(weighted),
            "The gradient by W is transposed: it has the shape of W.": (dW.T, db, dc),
            "The gradients of the biases are exchanged: b belongs to v, c to h.": (dW, dc, db),
            "The mean of a product is not the product of means: ⟨v h'⟩, not ⟨v⟩⟨h⟩'.": (
                np.outer(positive[1], positive[2]) - np.outer(v_model, h_model),
                db,
                dc,
            ),
        },
    )


@pytest.mark.exercise("log_likelihood_gradient", see=GRADIENT)
def test_gradient_of_a_machine_with_unequal_layers(student, inputs):
    """The states that the model's part goes through are those of the visible layer."""
    rbm = machine(inputs, 3, 2)
    answer = student.call("log_likelihood_gradient", v=V, **parameters(rbm))
    expect(answer, right=gradient(rbm, V))


# ---- sampling


@pytest.mark.exercise(
    "gibbs_step",
    hints=(
        "Two draws, one after the other: up, then down with what came up.",
        "(rng.random(p.shape) < p) is True with the probability p.",
        "h = rng.random(p.shape) < p with p = hidden_mean(v, W, c); then the same for v, from "
        "visible_mean(h, W, b).",
    ),
    see=SAMPLING,
)
@pytest.mark.parametrize("start", [0, 1])
def test_gibbs_step_draws_both_layers(student, inputs, start):
    """After one step, each visible state comes as often as Σ_h p(h | v) p(v' | h)."""
    one = V[start : start + 1]

    def undecided() -> RBM:
        # Hidden units near ½ at the start, where a draw differs most from its mean.
        rbm = machine(inputs, size=1.5)
        return RBM(rbm.W, rbm.b, np.round(0.4 * np.sign(rbm.c) - (one @ rbm.W)[0], 2))

    def after_steps(rbm: RBM) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        # where one step leads, and two, and very many
        fall = of_states(rbm.visible_mean(STATES))
        once = (of_states(rbm.hidden_mean(one)) @ fall)[0]
        twice = once @ of_states(rbm.hidden_mean(STATES)) @ fall
        return once, twice, visible_distribution(rbm)

    def slow(rbm: RBM) -> bool:
        once, twice, at_last = after_steps(rbm)
        return np.abs(twice - once).max() > 0.06 and np.abs(at_last - twice).max() > 0.06

    rbm = first_good(undecided, slow)
    W, b, c = rbm.W, rbm.b, rbm.c
    right, twice, at_last = after_steps(rbm)
    v = np.repeat(one, N_DRAWS, axis=0)
    p_hidden = rbm.hidden_mean(v)
    p_h = of_states(p_hidden[:1])[0]

    def down(p_h: np.ndarray, rbm: RBM = rbm) -> np.ndarray:
        # p(v') = Σ_h p(h) p(v' | h)
        return p_h @ of_states(rbm.visible_mean(STATES))

    most_probable = (p_hidden[0] > 0.5).astype(float)
    no_b, no_c = RBM(W, 0 * b, c), RBM(W, b, 0 * c)
    wrong_way = RBM(W.T, b, c)
    expect_draws(
        student.call("gibbs_step", v=v, W=W, b=b, c=c, rng=Seed(int(inputs.integers(2**31)))),
        right=right,
        n_draws=N_DRAWS,
        values={
            "These are probabilities. A step of the chain ends in states: 1 with the probability "
            "p, else 0.": rbm.visible_mean(p_hidden),
            "This is where the chain was: nothing has moved.": v,
        },
        misconceptions={
            "The hidden units hand down their probabilities, not their states: h is not drawn.": (
                of_states(rbm.visible_mean(p_hidden[:1]))[0]
            ),
            "The hidden units are rounded (on where p > ½), not drawn.": (
                of_states(rbm.visible_mean(most_probable[None, :]))[0]
            ),
            "The visible biases b are missing on the way down.": down(p_h, no_b),
            "The hidden biases c are missing on the way up.": down(
                of_states(no_c.hidden_mean(one))[0]
            ),
            "What comes back are the hidden states. The step goes on: from h back down to v.": p_h,
            "The weights must be transposed on the way down: h @ W.T.": down(p_h, wrong_way),
            "Each unit is on where the random number is larger than p, so with the probability "
            "1 − p.": of_states(1 - p_hidden[:1])[0] @ of_states(1 - rbm.visible_mean(STATES)),
            "These are two steps. One is asked for.": twice,
            "This is a draw from the machine's own distribution, where the chain ends after many "
            "steps. One step is asked for.": at_last,
        },
    )


def of_states(p: np.ndarray) -> np.ndarray:
    """The probability of each binary state, for each row of independent probabilities of 1."""
    on = STATES[None, :, :]
    return np.where(on == 1, p[:, None, :], 1 - p[:, None, :]).prod(axis=2)


@pytest.mark.exercise("gibbs_step", see=SAMPLING, after="test_gibbs_step_draws_both_layers")
def test_gibbs_step_draws_from_the_generator_it_is_given(student, inputs):
    """The same generator gives the same draws: all randomness comes from `rng`."""
    v = np.repeat(V, 50, axis=0)
    for n_hidden in (5, 2):  # more and fewer than visible units: each draw needs its own shape
        given = parameters(machine(inputs, 3, n_hidden))
        judge_randomness(
            lambda rng, given=given: student.call("gibbs_step", v=v, **given, rng=rng), v.shape
        )
