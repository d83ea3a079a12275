"""What a learner must have understood about energy functions, one test a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from dbnlib.boltzmann import BoltzmannMachine
from dbnlib.boltzmann_training import ExactPhases
from dbnlib.spins import Hopfield, bits_from_spins
from dbnlib.units import Bernoulli, sigmoid
from exercises.grading import Seed, expect, expect_draws
from exercises.grading.drawing import first_good, judge_randomness
from exercises.grading.student import Answer, as_numbers

X = np.array([[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
V4 = np.array([[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0]])
V3 = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
N_DRAWS = 10_000

# Sections of the notebook.
MATRIX = "The same as a matrix product"
PROBABILITY = "From energy to probability"
TEMPERATURE = "Temperature"
SPINS = "The same machine in other clothes"
MEMORY = "Hopfield's memory"
GIBBS = "Gibbs sampling"
RULE = "The rule, derived"


def states(n: int) -> np.ndarray:
    """All states of n bits, in counting order."""
    return Bernoulli(n).states(0, 2**n)


def numbers(inputs: np.random.Generator, n: int, low: float, high: float) -> np.ndarray:
    """Two digits each, of either sign, none of them near 0."""
    return np.round(inputs.choice([-1, 1], n) * inputs.uniform(low, high, n), 2)


def couplings(
    inputs: np.random.Generator, n: int, low: float = 0.4, high: float = 1.6
) -> np.ndarray:
    """Symmetric, with a diagonal of zeros and nothing else near 0."""
    J = np.zeros((n, n))
    J[np.triu_indices(n, 1)] = numbers(inputs, n * (n - 1) // 2, low, high)
    return J + J.T


def pairs(x: np.ndarray, J: np.ndarray) -> np.ndarray:
    """½ x'Jx for each row: the sum over pairs, each once."""
    return 0.5 * ((x @ J) * x).sum(axis=1)


def normalised(log_weights: np.ndarray, axis: int | None = None) -> np.ndarray:
    """exp(a) / Σ exp(a)."""
    weights = np.exp(log_weights - log_weights.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


def not_finite(answer: Answer) -> bool:
    """Whether there is a NaN or an infinity among the numbers that came back."""
    parts = answer.value if isinstance(answer.value, (tuple, list)) else [answer.value]
    arrays = [array for part in parts if (array := as_numbers(part)) is not None]
    return any(not np.isfinite(array).all() for array in arrays)


# ---- energy


@pytest.mark.exercise(
    "energy",
    hints=(
        "Two terms, each with a minus. The second, b'x for each row, is one product: x @ b.",
        "x'Jx for one row is a number; for all rows, multiply x @ J and x entry by entry and sum "
        "over the units.",
        "-0.5 * ((x @ J) * x).sum(axis=1) - x @ b.",
    ),
    see=MATRIX,
)
def test_energy_counts_each_pair_once(student, inputs):
    """E(x) = −½ x'Jx − b'x: one number for each row."""
    J, b = couplings(inputs, 4), numbers(inputs, 4, 0.4, 1.6)
    right, together, alone = BoltzmannMachine(J, b).energy(X), pairs(X, J), X @ b
    expect(
        student.call("energy", x=X, J=J, b=b),
        right=right,
        misconceptions={
            "The ½ is forgotten: x'Jx holds each pair twice, as Jᵢⱼ and as Jⱼᵢ.": (
                -2 * together - alone
            ),
            "The ½ belongs to the pairs alone. The biases count in full.": -together - alone / 2,
            "Each pair counts half here: the sum over i < j has each pair once, and needs no "
            "½.": -together / 2 - alone,
            "The sign is turned round: what likes to be on together has a low energy, so each "
            "term has a minus.": -right,
            "The biases must be subtracted as well: both terms have a minus.": -together + alone,
            "The pairs must be subtracted as well: both terms have a minus.": together - alone,
            "That is what comes out without the biases, −b'x.": -together,
            "These are only the biases: the term −½ x'Jx is missing.": -alone,
            "This is each row with each other row. x'Jx takes the same row on both sides: only "
            "the diagonal is asked for.": -0.5 * X @ J @ X.T - alone[:, None],
            "This is each row with each other row in x'Jx. It takes the same row on both "
            "sides.": -0.5 * X @ J @ X.T - alone,
            "This is one number for each unit. Sum over the units, axis 1.": (
                -0.5 * (X @ J) * X - b * X
            ),
            "This is the sum over all rows. Each row has an energy of its own.": right.sum(),
            "This is the mean over all rows. Each row has an energy of its own.": right.mean(),
        },
    )


# ---- the Boltzmann distribution


@pytest.mark.exercise(
    "distribution",
    points=2,
    hints=(
        "You need all states, one a row: itertools.product([0, 1], repeat=n) counts in the right "
        "order.",
        "The weights are exp(−E / T), with your `energy`; divide them by their sum.",
        "a = -energy(states, J, b) / T; a -= a.max(); then np.exp(a) / np.exp(a).sum().",
    ),
    see=PROBABILITY,
)
def test_distribution_at_a_temperature(student, inputs):
    """p(x) = exp(−E(x) / T) / Z: all states, in counting order, add up to 1."""
    J, b = couplings(inputs, 3, 0.6, 1.6), numbers(inputs, 3, 0.6, 1.6)
    T = float(np.round(inputs.uniform(1.5, 2.5), 1))
    x = states(3)
    E = BoltzmannMachine(J, b).energy(x)
    right = normalised(-E / T)
    expect(
        student.call("distribution", J=J, b=b, T=T),
        right=right,
        misconceptions={
            "This is what comes out at temperature 1: T is not used.": normalised(-E),
            "Energies are divided by T, not multiplied with it: hot means that they matter "
            "less.": normalised(-E * T),
            "This is exp(+E / T). Low energy means high probability.": normalised(E / T),
            "These are the weights exp(−E / T). Divided by their sum Z they are "
            "probabilities.": np.exp(-E / T),
            "These are the log-probabilities. Take the exponential in the end.": np.log(right),
            "The weights are powers of 2. The Boltzmann distribution has powers of e.": (
                normalised(-E / T * np.log(2))
            ),
            "The states are in another order: unit 0 stands on the left, so the last unit changes "
            "fastest.": right.reshape(2, 2, 2).transpose().ravel(),
            "The ½ in the energy is forgotten: each pair counts twice.": (
                normalised((2 * pairs(x, J) + x @ b) / T)
            ),
            "The biases are left out.": normalised(pairs(x, J) / T),
            "The couplings are left out.": normalised(x @ b / T),
            "Only the couplings are divided by T. The biases are part of the energy.": (
                normalised(pairs(x, J) / T + x @ b)
            ),
            "These are the states of spins, −1 and +1. The units are bits, 0 and 1.": (
                normalised((pairs(2 * x - 1, J) + (2 * x - 1) @ b) / T)
            ),
            "Energies themselves are no probabilities: exponentiate −E / T first.": E / E.sum(),
        },
    )


@pytest.mark.exercise("distribution", see=TEMPERATURE)
def test_distribution_survives_the_cold(student, inputs):
    """Near T = 0 all probability is on the states of lowest energy, and nothing is NaN."""

    def draw() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        J = np.triu(inputs.choice([-2.0, -1.0, 1.0, 2.0], (3, 3)), 1)
        J, b = J + J.T, inputs.choice([-1.0, 0.0, 1.0], 3)
        return J, b, BoltzmannMachine(J, b).energy(states(3))

    # Some state has an energy below 0 that is not the lowest.
    J, b, E = first_good(draw, lambda drawn: ((drawn[2] < 0) & (drawn[2] > drawn[2].min())).any())
    T = 1e-3
    answer = student.call("distribution", J=J, b=b, T=T)
    if not_finite(answer):
        raise answer.wrong(
            "gives NaN or infinity",
            expected="finite numbers",
            misconception="exp(1000) is no float. Take the largest of −E / T out of all of them "
            "before exponentiating: p does not notice.",
        )
    expect(
        answer,
        right=normalised(-E / T),
        misconceptions={
            "exp(1000) was cut off at the largest float, so that states of unequal energy came "
            "out alike. Take the largest of −E / T out of all of them before exponentiating.": (
                (E < 0) / (E < 0).sum()
            ),
        },
    )


# ---- spins and bits


@pytest.mark.exercise(
    "bits_from_spins",
    hints=(
        "Put s = 2x − 1 into −½ s'Js − b's and multiply out.",
        "Sort the terms: those with two x, those with one x, and a constant, which nobody misses.",
        "4 * J and 2 * b - 2 * J.sum(axis=1).",
    ),
    see=SPINS,
)
def test_bits_from_spins_keeps_all_differences_of_energy(student, inputs):
    """s = 2x − 1 turns J into 4J and b into 2b − 2J1."""
    J, b = couplings(inputs, 3), numbers(inputs, 3, 0.4, 1.6)
    right = bits_from_spins(J, b)[:2]
    pulls = J.sum(axis=1)
    expect(
        student.call("bits_from_spins", J=J, b=b),
        right=right,
        misconceptions={
            "The pairs have a part in the biases too: (2xᵢ − 1)(2xⱼ − 1) holds −2xᵢ and −2xⱼ.": (
                4 * J,
                2 * b,
            ),
            "The sign of 2J1 is turned round: the mixed terms of (2xᵢ − 1)(2xⱼ − 1) are "
            "negative.": (4 * J, 2 * b + 2 * pulls),
            "The biases lose 2J1, not 4J1: each mixed term comes twice, but the energy has a ½.": (
                4 * J,
                2 * b - 4 * pulls,
            ),
            "The biases lose 2J1, not J1: each mixed term comes twice and has a factor 2, and "
            "the energy has a ½.": (4 * J, 2 * b - pulls),
            "Both factors of sᵢsⱼ bring a 2: the couplings become 4J, not 2J.": (
                2 * J,
                2 * b - 2 * pulls,
            ),
            "Each spin has a factor 2: the couplings become 4J and the biases begin with 2b.": (
                J,
                b,
            ),
            "Each spin has a factor 2: the biases begin with 2b.": (4 * J, b - 2 * pulls),
            "2J1 has one number for each unit, the sum of a row of J. This is the sum of all of "
            "J.": (4 * J, 2 * b - 2 * J.sum()),
            "This is the way back, from bits to spins (x = ½(s + 1)).": (J / 4, b / 2 + pulls / 4),
        },
    )


# ---- Gibbs sampling


def move(J: np.ndarray, b: np.ndarray, x: np.ndarray, i: int, factor: float = 1.0) -> np.ndarray:
    """Probability of unit i to be on, for each row of x."""
    return sigmoid(factor * (b[i] + x @ J[i]))


def after_sweep(
    J: np.ndarray,
    b: np.ndarray,
    start: np.ndarray,
    *,
    order: Iterable[int] = range(3),
    chance: Callable[[np.ndarray], np.ndarray] = lambda p: p,
    factor: float = 1.0,
) -> np.ndarray:
    """Where one sweep leads from `start`: the probability of each state.

    `chance` turns the probability of a 1 into that which is really used; `factor` is that of the
    field.
    """
    x = states(3)
    place = 2 ** np.arange(2, -1, -1)
    now = (x == start).all(axis=1) * 1.0
    for i in order:
        off = (x * place).sum(axis=1).astype(int) - (x[:, i] * place[i]).astype(int)
        p = chance(move(J, b, x, i, factor))
        then = np.zeros(8)
        np.add.at(then, off, now * (1 - p))
        np.add.at(then, off + place[i], now * p)
        now = then
    return now


def of_independent(p: np.ndarray) -> np.ndarray:
    """The probability of each state where units are on with the probabilities p, independently."""
    return np.where(states(3) == 1, p, 1 - p).prod(axis=1)


@pytest.mark.exercise(
    "gibbs_sweep",
    points=2,
    hints=(
        "A loop over the units; all chains can be drawn at once. Begin with a copy of x.",
        "The field of unit i in all chains is b[i] + x @ J[i], with the x of this moment.",
        "x[:, i] = rng.random(len(x)) < sigmoid(b[i] + x @ J[i]), for i = 0, 1, …",
    ),
    see=GIBBS,
)
def test_gibbs_sweep_draws_each_unit_given_the_present_state_of_the_others(student, inputs):
    """After one sweep from a given state, each state comes as often as the conditionals say."""
    start = np.array([1.0, 0.0, 1.0])
    J = couplings(inputs, 3, 1.6, 2.6)
    # Fields near 0 at the start, where draws matter most. The first unit is on, and rather not.
    field = numbers(inputs, 3, 0.3, 0.6)
    field[0] = -abs(field[0])
    b = np.round(field - J @ start, 2)
    x = np.repeat(start[None, :], N_DRAWS, axis=0)
    at_start = sigmoid(b + J @ start)
    zero = np.zeros(3)
    expect_draws(
        student.call("gibbs_sweep", x=x, J=J, b=b, rng=Seed(int(inputs.integers(2**31)))),
        right=after_sweep(J, b, start),
        n_draws=N_DRAWS,
        values={
            "These are probabilities. A sweep ends in states: 1 with the probability p, else "
            "0.": np.repeat(at_start[None, :], N_DRAWS, axis=0),
            "This is where the chains were: nothing has moved.": x,
        },
        misconceptions={
            "All units are drawn at once from the old state. Coupled units must be drawn in turn: "
            "each sees what the ones before it have just become.": of_independent(at_start),
            "The units are drawn from the last to the first. Begin with unit 0.": (
                after_sweep(J, b, start, order=(2, 1, 0))
            ),
            "The biases b are missing in the field.": after_sweep(J, zero, start),
            "The field has a ½ too many: xᵢ stands in xᵢ Jᵢⱼ xⱼ and in xⱼ Jⱼᵢ xᵢ, and that makes "
            "up for the ½ of the energy.": after_sweep(J / 2, b, start),
            "The sign of the field is turned round: σ(−x) = 1 − σ(x). (The same comes out where "
            "the unit is on if the random number is larger than p.)": (
                after_sweep(J, b, start, chance=lambda p: 1 - p)
            ),
            "The units are rounded (on where p > ½), not drawn.": (
                after_sweep(J, b, start, chance=np.round)
            ),
            "The field is doubled: σ(2·field) is the law of spins, −1 and +1. For bits it is "
            "σ(field).": after_sweep(J, b, start, factor=2.0),
            "Only the first unit is drawn. A sweep goes through all.": (
                after_sweep(J, b, start, order=(0,))
            ),
            "Only the last unit is drawn. A sweep goes through all.": (
                after_sweep(J, b, start, order=(2,))
            ),
            "Only one unit is drawn, by lot. A sweep goes through all.": (
                sum(after_sweep(J, b, start, order=(i,)) for i in range(3)) / 3
            ),
            "The units are tossed like coins: neither J nor b is used.": np.full(8, 1 / 8),
            "These are two sweeps. One is asked for.": after_sweep(
                J, b, start, order=(0, 1, 2) * 2
            ),
            "This is a draw from the machine's own distribution, where the chain ends after many "
            "sweeps. One sweep is asked for.": BoltzmannMachine(J, b).distribution(),
        },
    )


@pytest.mark.exercise(
    "gibbs_sweep",
    see=GIBBS,
    after="test_gibbs_sweep_draws_each_unit_given_the_present_state_of_the_others",
)
def test_gibbs_sweep_draws_from_the_generator_it_is_given(student, inputs):
    """The same generator gives the same draws: all randomness comes from `rng`."""
    J, b = couplings(inputs, 3, 0.4, 1.0), numbers(inputs, 3, 0.1, 0.4)
    x = np.repeat(X[:, :3], 50, axis=0)
    judge_randomness(lambda rng: student.call("gibbs_sweep", x=x, J=J, b=b, rng=rng), x.shape)


# ---- Hopfield's memory


def all_differ(arrays: list[np.ndarray]) -> bool:
    """Whether no two of the arrays are equal."""
    return len({array.tobytes() for array in arrays}) == len(arrays)


@pytest.mark.exercise(
    "hebb",
    hints=(
        "For one pattern, tᵢtⱼ for all i and j is an outer product; add them up.",
        "The sum of the outer products of all rows is patterns.T @ patterns.",
        "J = patterns.T @ patterns / patterns.shape[1]; then np.fill_diagonal(J, 0).",
    ),
    see=MEMORY,
)
def test_hebb_couples_what_agrees_and_nothing_with_itself(student, inputs):
    """Jᵢⱼ = (1/n) Σ tᵢtⱼ over the patterns, n the number of units, and 0 on the diagonal."""
    no_diagonal = 1 - np.eye(4)
    found: list[np.ndarray] = []
    while not found or not all_differ(found):
        P = inputs.choice([-1.0, 1.0], (3, 4))  # an odd number of patterns: no coupling is 0
        counts, bits = P.T @ P, (P + 1) / 2
        right = Hopfield(P).J
        of_bits = bits.T @ bits * no_diagonal / 4
        first, last = (np.outer(P[n], P[n]) * no_diagonal / 4 for n in (0, -1))
        found = [array + 0.0 for array in (right, of_bits, first, last)]  # +0 and −0 alike
    expect(
        student.call("hebb", patterns=P),
        right=right,
        misconceptions={
            "The diagonal must be 0: no unit is coupled with itself.": counts / 4,
            "This is divided by the number of patterns. n is the number of units.": (
                counts * no_diagonal / 3
            ),
            "This is divided by the number of patterns (n is the number of units), and the "
            "diagonal must be 0.": counts / 3,
            "The sum is to be divided by n, the number of units.": counts * no_diagonal,
            "The sum is to be divided by n, the number of units, and the diagonal must be "
            "0.": counts,
            "This couples patterns, not units: the product is the wrong way round.": P @ P.T / 4,
            "This couples patterns, not units: the product is the other way round.": (
                P @ P.T / 4 * (1 - np.eye(3))
            ),
            "The sign is turned round: units that agree in the patterns like to agree.": -right,
            "This is Hebb's rule for bits. The patterns are spins: two units that are both −1 "
            "agree as well.": of_bits,
            "Only the first pattern is stored.": first,
            "Only the last pattern is stored.": last,
        },
    )


def settle(
    s: np.ndarray,
    J: np.ndarray,
    *,
    order: Iterable[int] | None = None,
    at_once: bool = False,
    sweeps: int = 100,
) -> np.ndarray:
    """Sweeps until nothing changes; `at_once` lets all units look at the state before the sweep."""
    s = s.copy()
    for _ in range(sweeps):
        before = s.copy()
        for i in range(len(J)) if order is None else order:
            field = (before if at_once else s) @ J[i]
            s[:, i] = np.where(field == 0, s[:, i], np.sign(field))
        if np.array_equal(s, before):
            break
    return s


@pytest.mark.exercise(
    "recall",
    hints=(
        "One sweep is a loop over the units; around it stands a loop that ends when a sweep has "
        "changed nothing.",
        "The field of unit i in all rows is s @ J[i], with the s of this moment: unit 1 sees what "
        "unit 0 has just become.",
        "before = s.copy(); for each i, s[:, i] = np.sign(s @ J[i]) where that is not 0; stop when "
        "np.array_equal(s, before).",
    ),
    see=MEMORY,
    seconds=5,
)
def test_recall_rolls_downhill_until_nothing_changes(student, inputs):
    """Unit after unit takes the sign of its field, until a whole sweep changes nothing."""
    found: list[np.ndarray] = []
    smallest = 0.0  # field of any unit in any state: rounding must not decide
    while smallest < 0.02 or not all_differ(found):
        J, s = couplings(inputs, 5), inputs.choice([-1.0, 1.0], (6, 5))
        smallest = np.abs((2 * states(5) - 1) @ J).min()
        right, once, upward = settle(s, J), settle(s, J, sweeps=1), settle(s, -J)
        at_once, once_at_once = settle(s, J, at_once=True), settle(s, J, at_once=True, sweeps=1)
        backward = settle(s, J, order=(4, 3, 2, 1, 0))
        found = [s, right, once, upward, at_once, once_at_once, backward]
    expect(
        student.call("recall", s=s, J=J),
        right=right,
        misconceptions={
            "This is where one sweep leads. Go on until a whole sweep changes nothing.": once,
            "All units move at once, from the same old state. Then the energy may rise, and two "
            "states may take turns for ever. Update unit after unit.": at_once,
            "All units move at once, and once only. Update unit after unit, and go on until a "
            "whole sweep changes nothing.": once_at_once,
            "The units are taken from the last to the first. Begin with unit 0.": backward,
            "The sign is turned round: a unit takes the sign of its field, and the energy "
            "falls.": upward,
            "This is where it began: nothing has moved.": s,
            "These are bits. The units are spins, −1 and +1.": (right + 1) / 2,
            "These are the fields. A unit takes the sign of its field.": right @ J,
        },
    )


@pytest.mark.exercise("recall", see=MEMORY, seconds=5)
def test_recall_takes_as_many_sweeps_as_are_needed(student, inputs):
    """Rows fall like dominoes from their end, one unit a sweep; the first is at rest already."""
    J = np.diag(np.round(np.cumsum(inputs.uniform(0.5, 1.5, 8)), 1), 1)
    J = J + J.T
    s = -np.ones((3, 9))
    s[1:, -1] = 1.0  # each unit follows the next one, so this takes eight sweeps
    s[2] *= -1
    # the same with other signs: what agreed with +1 agrees with the sign
    signs = inputs.choice([-1.0, 1.0], 9)
    J, s = J * np.outer(signs, signs), s * signs
    right = settle(s, J)
    expect(
        student.call("recall", s=s, J=J),
        right=right,
        misconceptions={
            f"This is where {n} sweep{'s' * (n > 1)} lead{'s' * (n == 1)}. Go on until a whole "
            "sweep changes no row.": settle(s, J, sweeps=n)
            for n in range(1, 8)
        },
    )


@pytest.mark.exercise("recall", see=MEMORY, seconds=5)
def test_recall_keeps_a_unit_whose_field_is_zero(student, inputs):
    """A field of exactly 0 says nothing, and the unit keeps its state."""
    a = numbers(inputs, 1, 0.4, 1.6)[0] * inputs.choice([-1, 1])
    J = np.array([[0.0, a, -a], [a, 0.0, 0.0], [-a, 0.0, 0.0]])
    s = inputs.permutation([[-1.0, 1.0, 1.0], [1.0, -1.0, -1.0]])  # unit 0 has the field 0 in both
    up, down = np.array([1.0, np.sign(a), -np.sign(a)]), np.array([-1.0, -np.sign(a), np.sign(a)])
    right = s[:, :1] * up
    expect(
        student.call("recall", s=s, J=J),
        right=right,
        misconceptions={
            "np.sign(0) is 0, which is no spin. Where the field is 0 the unit keeps its "
            "state.": np.zeros((2, 3)),
            "Where the field is 0 the unit became +1. It keeps its state.": np.array([up, up]),
            "Where the field is 0 the unit became −1. It keeps its state.": np.array([down, down]),
            "Where the field is 0 the unit was turned over. It keeps its state.": -right,
        },
    )


# ---- learning

Moments = tuple[np.ndarray, np.ndarray]


def moments(x: np.ndarray, weights: np.ndarray) -> Moments:
    """Σ w xx' and Σ w x over the rows."""
    return (x * weights[:, None]).T @ x, weights @ x


def less(data: Moments, model: Moments) -> Moments:
    """data − model, with the diagonal of the first set to 0."""
    second = data[0] - model[0]
    return second * (1 - np.eye(len(second))), data[1] - model[1]


@pytest.mark.exercise(
    "log_likelihood_gradient",
    points=2,
    hints=(
        "Two means of the same thing, xᵢxⱼ: once over the data, once over all states of the "
        "machine, each weighted with its probability. Begin without hidden units.",
        "The data's part without hidden units is v.T @ v / len(v). The model's is "
        "states.T @ (p[:, None] * states), with p from your `distribution`. Then the diagonal.",
        "With hidden units: for each row of v, put it beside all hidden states, weight them with "
        "p(h | v) = exp(−E) / Σ exp(−E) over these, and average over the rows.",
    ),
    see=RULE,
)
def test_gradient_of_a_machine_without_hidden_units(student, inputs):
    """The gradient compares how often pairs are on in the data and in the model."""
    J, b = couplings(inputs, 4), numbers(inputs, 4, 0.4, 1.6)
    dJ, db = right = ExactPhases().gradient(BoltzmannMachine(J, b), V4)
    n, x = len(V4), states(4)
    E = BoltzmannMachine(J, b).energy(x)
    data, model = moments(V4, np.full(n, 1 / n)), moments(x, normalised(-E))
    nothing = (np.zeros((4, 4)), np.zeros(4))
    means = tuple(np.outer(part[1], part[1]) for part in (data, model))
    no_half = moments(x, normalised(2 * pairs(x, J) + x @ b))
    expect(
        student.call("log_likelihood_gradient", v=V4, J=J, b=b),
        right=right,
        misconceptions={
            "The sign is turned round: this is model minus data, and it walks downhill.": (
                (-dJ, -db)
            ),
            "This is only the data's part. Without the model's part the couplings grow for "
            "ever.": less(data, nothing),
            "This is only the data's part, and the diagonal must be 0.": data,
            "This is the model's part without the data's.": less(nothing, model),
            "The diagonal of ∂/∂J must be 0: no unit is coupled with itself.": (
                (data[0] - model[0], db)
            ),
            "Half of it: Jᵢⱼ and Jⱼᵢ are one parameter and move together, so there is no ½ in the "
            "rule.": (dJ / 2, db),
            "Twice of it: Jᵢⱼ and Jⱼᵢ are one parameter, and the pair stands in the energy once.": (
                2 * dJ,
                db,
            ),
            "This is the sum over the examples (data and model alike); the mean is asked for.": (
                (n * dJ, n * db)
            ),
            "The data's part is a sum over the examples and the model's a mean. Divide by the "
            "number of examples.": less(tuple(n * part for part in data), model),
            "In the model's part all states count the same. Each counts with its probability "
            "p(x).": less(data, moments(x, np.full(16, 1 / 16))),
            "The model's part is not divided by Z: the weights of the states must add up to "
            "1.": less(data, moments(x, np.exp(-E))),
            "In the model's part exp(+E) was used. Low energy means high probability.": (
                less(data, moments(x, normalised(E)))
            ),
            "The ½ in the energy is forgotten, so the probabilities of the model are not its "
            "own.": less(data, no_half),
            "The mean of a product is not the product of means: ⟨xᵢxⱼ⟩, not ⟨xᵢ⟩⟨xⱼ⟩.": (
                less((means[0], data[1]), (means[1], model[1]))
            ),
            "The gradients come in the other order: by J first, then by b.": (db, dJ),
        },
    )


def clamped(v: np.ndarray, J: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every row of v beside every hidden state, and −E of it: (rows, hidden states, …)."""
    n_hidden = len(b) - v.shape[1]
    x = np.stack([np.hstack([np.tile(row, (2**n_hidden, 1)), states(n_hidden)]) for row in v])
    minus_E = -BoltzmannMachine(J, b).energy(x.reshape(-1, len(b)))
    return x, minus_E.reshape(len(v), -1)


@pytest.mark.exercise("log_likelihood_gradient", points=3, see=RULE)
def test_gradient_of_a_machine_with_hidden_units(student, inputs):
    """In the data's part hidden units follow the visible ones, with p(h | v) for each row."""

    def most_probable(J: np.ndarray, b: np.ndarray) -> np.ndarray:
        return states(2)[clamped(V3, J, b)[1].argmax(axis=1)]

    # Not all hidden units are off in these: that has a sentence of its own.
    J, b = first_good(
        lambda: (couplings(inputs, 5, 0.8, 1.6), numbers(inputs, 5, 0.4, 1.6)),
        lambda found: bool(most_probable(*found).any()),
    )
    machine = BoltzmannMachine(J, b, n_visible=3)
    dJ, db = right = ExactPhases().gradient(machine, V3)
    n, x = len(V3), states(5)
    model = moments(x, machine.distribution())
    beside, minus_E = clamped(V3, J, b)
    beside = beside.reshape(-1, 5)

    def with_hidden(h: np.ndarray) -> Moments:
        # the data's part where each row has one hidden state, or one vector of means
        return less(moments(np.hstack([V3, h]), np.full(n, 1 / n)), model)

    def weighted(p: np.ndarray) -> Moments:
        return less(moments(beside, p.ravel()), model)

    independent = sigmoid(b[3:] + V3 @ J[:3, 3:])  # as if hidden units were not coupled
    exact = normalised(minus_E, axis=1) / n
    data = moments(beside, exact.ravel())
    means = n * exact @ states(2)
    expect(
        student.call("log_likelihood_gradient", v=V3, J=J, b=b),
        right=right,
        misconceptions={
            "The sign is turned round: this is model minus data, and it walks downhill.": (
                (-dJ, -db)
            ),
            "The hidden units are not coupled with each other here. In a general machine they "
            "are, and h₀ depends on h₁ even when v is known: weight whole hidden states.": (
                with_hidden(independent)
            ),
            "The mean of a product is not the product of means: in the data's part too, ⟨hᵢhⱼ⟩ is "
            "a sum over hidden states.": with_hidden(means),
            "In the data's part all hidden states count the same. Each counts with p(h | v).": (
                weighted(np.full((n, 4), 1 / (4 * n)))
            ),
            "In the data's part the weights add up to 1 over all rows together. Each row counts "
            "as much as any other: p(h | v) adds up to 1 for each row.": (
                weighted(normalised(minus_E))
            ),
            "In the data's part the weights are p(v, h), the joint probabilities. Each row is "
            "given: p(h | v) = p(v, h) / p(v) adds up to 1 for each row.": (
                weighted(np.exp(minus_E - machine.log_partition()) / n)
            ),
            "The hidden units are off in the data's part. They follow the visible ones, with "
            "p(h | v).": with_hidden(np.zeros((n, 2))),
            "In the data's part each row has its most probable hidden state. All of them count, "
            "each with p(h | v).": with_hidden(most_probable(J, b)),
            "This is the sum over the examples (data and model alike); the mean is asked for.": (
                (n * dJ, n * db)
            ),
            "The data's part is a sum over the examples and the model's a mean. Divide by the "
            "number of examples.": weighted(n * exact),
            "This is only the data's part. Without the model's part the couplings grow for "
            "ever.": less(data, (np.zeros((5, 5)), np.zeros(5))),
            "The diagonal of ∂/∂J must be 0: no unit is coupled with itself.": (
                (data[0] - model[0], db)
            ),
            "Half of it: Jᵢⱼ and Jⱼᵢ are one parameter and move together, so there is no ½ in the "
            "rule.": (dJ / 2, db),
            "Twice of it: Jᵢⱼ and Jⱼᵢ are one parameter, and the pair stands in the energy once.": (
                2 * dJ,
                db,
            ),
            "In the model's part all states count the same. Each counts with its probability "
            "p(x).": less(data, moments(x, np.full(32, 1 / 32))),
            "These are the parts of the visible units alone. Couplings of hidden units learn by "
            "the same rule.": ExactPhases().gradient(BoltzmannMachine(J[:3, :3], b[:3]), V3),
        },
    )


@pytest.mark.exercise("log_likelihood_gradient", see=RULE)
def test_gradient_survives_where_z_is_too_large_for_a_float(student, inputs):
    """Both parts are finite where exp(−E) is not."""

    def draw() -> np.ndarray:
        sizes = inputs.permutation(np.arange(800.0, 1500.0, 10.0))[:9].reshape(3, 3)  # no two alike
        J = np.triu(inputs.choice([-1, 1], (3, 3)) * sizes, 1)
        return J + J.T

    b, v = np.zeros(3), inputs.permutation(states(2))[:2]
    together = np.repeat(v, 2, axis=0), np.tile([[0.0], [1.0]], (2, 1))
    held = np.hstack(together)  # each row of v with each state of the hidden unit
    # No float holds exp(−E) of the best of these, so of none in all.
    J = first_good(draw, lambda J: BoltzmannMachine(J, b).energy(held).min() < -750)
    right = ExactPhases().gradient(BoltzmannMachine(J, b, n_visible=2), v)
    answer = student.call("log_likelihood_gradient", v=v, J=J, b=b)
    if not_finite(answer):
        raise answer.wrong(
            "gives NaN or infinity",
            expected="finite numbers",
            misconception="exp(3000) is no float. Take the largest of −E out of all of them before "
            "exponentiating, in the data's part and in the model's.",
        )
    expect(answer, right=right)
