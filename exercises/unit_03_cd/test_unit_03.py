"""What a learner must have understood about contrastive divergence, one test a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pytest

from dbnlib.exact import log_partition, pseudo_log_likelihood, visible_distribution
from dbnlib.monitors import reconstruction_error
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, sigmoid, softplus
from exercises.grading import Seed, expect, expect_draws
from exercises.grading.drawing import first_good, judge_randomness, numbers
from exercises.grading.feedback import ERROR_RATE
from exercises.grading.student import Answer, Student

STATES = Bernoulli(3).states(0, 8)
V = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
N_DRAWS = 20_000
START = 5  # the number of the state 101

# Sections of the notebook.
STAND_INS = "Two stand-ins"
BY_HAND = "CD-1 by hand"
WATCH = "What to watch, and what lies"
DIGITS = "A real machine on digits"
ADVICE = "The usual advice, put to the test"

Phase = tuple[np.ndarray, np.ndarray, np.ndarray]


def machine(inputs: np.random.Generator, n_hidden: int = 3) -> RBM:
    """A machine with as many units in each layer, so that transposed weights raise no error."""
    return RBM(numbers(inputs, 3, n_hidden), numbers(inputs, 3), numbers(inputs, n_hidden))


def balanced(inputs: np.random.Generator, size: float = 3.0, n_hidden: int = 3) -> RBM:
    """A machine with large weights and biases that make up for them: every unit is undecided.

    Its neighbours decide it, so that it matters whether they are drawn.
    """
    W = numbers(inputs, 3, n_hidden, size=size)
    b, c = numbers(inputs, 3), numbers(inputs, n_hidden)
    return RBM(W, np.round(b - W.sum(axis=1) / 2, 2), np.round(c - W.sum(axis=0) / 2, 2))


def parameters(rbm: RBM) -> dict[str, np.ndarray]:
    """W, b and c as arguments."""
    return {"W": rbm.W, "b": rbm.b, "c": rbm.c}


def of_states(p: np.ndarray) -> np.ndarray:
    """The probability of each binary state, for each row of independent probabilities of 1."""
    return np.where(STATES == 1, p[:, None, :], 1 - p[:, None, :]).prod(axis=2)


def moves(rbm: RBM) -> np.ndarray:
    """Probabilities of one Gibbs step, from each state of v to each."""
    return of_states(rbm.hidden_mean(STATES)) @ of_states(rbm.visible_mean(STATES))


def without_biases(rbm: RBM) -> tuple[RBM, RBM]:
    """The machine without b, and that without c."""
    return RBM(rbm.W, 0 * rbm.b, rbm.c), RBM(rbm.W, rbm.b, 0 * rbm.c)


def phase(v: np.ndarray, h: np.ndarray) -> Phase:
    """Means of v h', v and h over the rows."""
    return v.T @ h / len(v), v.mean(axis=0), h.mean(axis=0)


def weighted(p: np.ndarray, v: np.ndarray, h: np.ndarray) -> Phase:
    """Means of v h', v and h with a probability for each row."""
    return (p[:, None] * v).T @ h, p @ v, p @ h


def less(one: Iterable[np.ndarray], other: Iterable[np.ndarray]) -> Phase:
    """one − other, part by part."""
    return tuple(a - b for a, b in zip(one, other, strict=True))


def flat(parts: Iterable[np.ndarray]) -> np.ndarray:
    """All parts in one long row."""
    return np.concatenate([np.ravel(part) for part in parts])


def margin(p: np.ndarray, x: np.ndarray, n: int, n_judgements: int) -> np.ndarray:
    """How far the mean of n draws may be from its expectation, for each row of values x.

    Bernstein's inequality: P(|mean − μ| ≥ t) ≤ 2 exp(−n t² / (2 σ² + ⅔ M t)), at `ERROR_RATE`.
    """
    distance = np.abs(x - (x @ p)[:, None])
    log_rate = np.log(2 * n_judgements / ERROR_RATE)
    half = distance.max(axis=1) * log_rate / 3
    return (half + np.sqrt(half**2 + 2 * n * (distance**2 @ p) * log_rate)) / n


def nearest(value: np.ndarray, near: np.ndarray, known: Mapping[str, np.ndarray]) -> str:
    """The sentence whose value is nearest, if it is near enough for chance."""
    with np.errstate(all="ignore"):  # a wrong answer may be of any size
        far = {text: float((np.abs(value - v) / near).max()) for text, v in known.items()}
    best = min(far, key=far.get)
    return best if far[best] < 1 else ""


# ---- numbers to watch


@pytest.mark.exercise(
    "reconstruction_error",
    hints=(
        "Three lines: up to the hidden means, down to the visible means, and the difference.",
        "h = σ(c + v @ W), then v' = σ(b + h @ W.T); nothing is drawn and nothing is rounded.",
        "((v - back) ** 2).sum(axis=1).mean(): a sum over the units, a mean over the rows.",
    ),
    see=WATCH,
)
def test_reconstruction_error_sums_over_units_and_averages_over_rows(student, inputs):
    """The mean over the rows of the squared distance between v and what comes back."""
    rbm = machine(inputs)
    W, b, c = rbm.W, rbm.b, rbm.c
    h = rbm.hidden_mean(V)
    no_b, no_c = without_biases(rbm)

    def error(back: np.ndarray) -> float:
        return np.square(V - back).sum(axis=1).mean()

    right, back = reconstruction_error(rbm, V), rbm.visible_mean(h)
    rows = np.square(V - back).sum(axis=1)
    expect(
        student.call("reconstruction_error", v=V, **parameters(rbm)),
        right=right,
        misconceptions={
            "This is the mean over rows and units. Sum over the units.": right / 3,
            "This is the sum over all rows. The mean over the rows is asked for.": rows.sum(),
            "This is one number for each row. The mean over the rows is asked for.": rows,
            "This is the mean distance. The squared distance is asked for: take no root.": (
                np.sqrt(rows).mean()
            ),
            "This is the mean of |v − v'|. Square the differences.": (
                np.abs(V - back).sum(axis=1).mean()
            ),
            "The ½ does not belong here.": right / 2,
            "The hidden means are rounded on the way. Hand them on as they are.": error(
                rbm.visible_mean((h > 0.5) * 1.0)
            ),
            "What came back is rounded. Compare v with the means.": error((back > 0.5) * 1.0),
            "That is what comes out without the visible biases b.": error(
                no_b.visible_mean(no_b.hidden_mean(V))
            ),
            "That is what comes out without the hidden biases c.": error(
                no_c.visible_mean(no_c.hidden_mean(V))
            ),
            "The weights must be transposed on the way down: h @ W.T.": error(sigmoid(b + h @ W)),
            "σ is missing on the way down: v is compared with fields.": error(b + h @ W.T),
            "σ is missing on the way up: h is a field here.": error(sigmoid(b + (c + V @ W) @ W.T)),
        },
    )


@pytest.mark.exercise(
    "pseudo_log_likelihood",
    points=2,
    hints=(
        "For each unit i: a copy of v with column i flipped, 1 − v, and its free energy.",
        "Only two states are compared, so Z cancels: p(vᵢ | rest) = e^−F(v) / (e^−F(v) + "
        "e^−F(flipped)), which is σ(F(flipped) − F(v)).",
        "Sum over i of -np.logaddexp(0, F(v) - F(flipped)).",
    ),
    see=WATCH,
)
def test_pseudo_log_likelihood_adds_up_each_unit_given_the_rest(student, inputs):
    """Σᵢ log σ(F(v with unit i flipped) − F(v)) for each row."""
    rbm = machine(inputs)
    F = rbm.free_energy(V)

    def rises(rbm: RBM) -> np.ndarray:
        return np.column_stack(
            [
                rbm.free_energy(np.where(np.arange(3) == i, 1 - V, V)) - rbm.free_energy(V)
                for i in range(3)
            ]
        )

    right, rise = pseudo_log_likelihood(rbm, V), rises(rbm)
    all_flipped = rbm.free_energy(1 - V) - F
    on = np.column_stack([V[:, i] * rise[:, i] for i in range(3)])
    no_b, no_c = without_biases(rbm)
    expect(
        student.call("pseudo_log_likelihood", v=V, **parameters(rbm)),
        right=right,
        misconceptions={
            "The sign is turned round: logarithms of probabilities lie below 0.": -right,
            "This is the mean over the units. The sum is asked for.": right / 3,
            "This is one number for each unit. Sum over the units.": -softplus(-rise),
            "F(v) and F(flipped) are exchanged: this is the probability of the flipped unit.": (
                -softplus(rise).sum(axis=1)
            ),
            "The logarithm is missing: these are sums of probabilities.": (
                sigmoid(rise).sum(axis=1)
            ),
            "These are products of probabilities; the logarithm is missing.": (
                sigmoid(rise).prod(axis=1)
            ),
            "This is in bits: a logarithm to base 2. Use the natural one.": right / np.log(2),
            "log σ is missing: this is only the sum of the differences of F.": rise.sum(axis=1),
            "All units are flipped at once. Flip one, and leave the others.": (
                -softplus(-all_flipped)
            ),
            "All units are flipped at once, for each unit again. Flip one, and leave the others.": (
                -3 * softplus(-all_flipped)
            ),
            "This is the mean over the rows. Each row has a number of its own.": right.mean(),
            "This is the sum over the rows. Each row has a number of its own.": right.sum(),
            "Units are set to 0, not flipped: those that are 0 compare v with itself.": (
                -softplus(-on).sum(axis=1)
            ),
            "This is log p(v) itself, with Z. Here each unit is asked for given the others.": (
                -F - log_partition(rbm)
            ),
            "That is what comes out without the visible biases b.": (
                pseudo_log_likelihood(no_b, V)
            ),
            "That is what comes out without the hidden biases c.": pseudo_log_likelihood(no_c, V),
        },
    )
    narrow = machine(inputs, n_hidden=2)
    expect(
        student.call("pseudo_log_likelihood", v=V, **parameters(narrow)),
        right=pseudo_log_likelihood(narrow, V),
        misconceptions={
            "There are as many terms here as hidden units. It is one for each visible unit.": (
                -softplus(-rises(narrow)[:, :2]).sum(axis=1)
            ),
        },
    )


# ---- contrastive divergence


def known_updates(rbm: RBM, k: int) -> dict[str, np.ndarray]:
    """What misconceptions about CD lead to from the state `START`, on average: all parts flat."""
    one, step, h_all = STATES[START : START + 1], moves(rbm), rbm.hidden_mean(STATES)
    data = phase(one, rbm.hidden_mean(one))

    def after(n: int, step: np.ndarray = step) -> np.ndarray:
        return np.linalg.matrix_power(step, n)[START]

    right = less(data, weighted(after(k), STATES, h_all))
    rounds, v_mean = 0, one
    while rounds < k:
        v_mean, rounds = rbm.visible_mean(rbm.hidden_mean(v_mean)), rounds + 1
    from_mean_h = of_states(rbm.visible_mean(h_all))  # h handed down as a mean
    before_h = after(k - 1) @ of_states(h_all)  # the last h of the chain
    v_of_h = rbm.visible_mean(STATES)
    no_b, no_c = without_biases(rbm)
    down = of_states(sigmoid(rbm.b + STATES @ rbm.W))
    stale = np.einsum("h,hi,hj->ij", before_h, v_of_h, STATES)
    opposite = of_states(1 - h_all) @ of_states(1 - v_of_h)
    data_c = phase(one, no_c.hidden_mean(one))
    parts = {
        "The sign is turned round: data less fantasies, since the step is added.": (
            less((0, 0, 0), right)
        ),
        "This is only the data's part. The fantasies' part is missing.": data,
        "This is only the fantasies' part, with its minus.": less((0, 0, 0), less(data, right)),
        "Nothing is drawn: the chain hands on means.": (
            less(data, phase(v_mean, rbm.hidden_mean(v_mean)))
        ),
        "h is not drawn: the chain hands down its means.": (
            less(data, weighted(after(k, from_mean_h), STATES, h_all))
        ),
        "The fantasies are not drawn: the last v' is a mean.": (
            less(data, weighted(before_h, v_of_h, rbm.hidden_mean(v_of_h)))
        ),
        "The fantasies come with the h that made them. h must be computed anew from v'.": (
            less(data, (stale, before_h @ v_of_h, before_h @ STATES))
        ),
        "The gradient by W is transposed: it has the shape of W.": (right[0].T, *right[1:]),
        "The updates of the biases are exchanged: b belongs to v, c to h.": (
            (right[0], right[2], right[1])
        ),
        "The visible biases b are missing on the way down.": (
            less(data, weighted(after(k, moves(no_b)), STATES, h_all))
        ),
        "The hidden biases c are missing.": (
            less(data_c, weighted(after(k, moves(no_c)), STATES, no_c.hidden_mean(STATES)))
        ),
        "The weights must be transposed on the way down: h @ W.T.": (
            less(data, weighted(after(k, of_states(h_all) @ down), STATES, h_all))
        ),
        "Each unit is on where the random number is larger than p, so with the probability "
        "1 − p.": less(data, weighted(after(k, opposite), STATES, h_all)),
        "These are fair draws from the model, or its exact average. CD takes k steps from the "
        "data.": less(data, weighted(visible_distribution(rbm), STATES, h_all)),
        "The chain takes one step too many.": (less(data, weighted(after(k + 1), STATES, h_all))),
    }
    if k > 1:
        parts["The chain takes one step only, whatever k is, or starts at the data each time."] = (
            less(data, weighted(after(1), STATES, h_all))
        )
        parts["The chain takes one step too few."] = less(
            data, weighted(after(k - 1), STATES, h_all)
        )
    return {text: flat(part) for text, part in parts.items()}


def expected_update(rbm: RBM, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean step of CD-k from the state `START`, all parts flat, and what chance may add."""
    one, h = STATES[START : START + 1], rbm.hidden_mean(STATES)
    p = np.linalg.matrix_power(moves(rbm), k)[START]
    fantasies = np.array([flat((np.outer(v, m), v, m)) for v, m in zip(STATES, h, strict=True)])
    mean = flat(phase(one, rbm.hidden_mean(one))) - p @ fantasies
    return mean, margin(p, fantasies.T, N_DRAWS, 2 * len(mean))


@pytest.mark.exercise(
    "cd_update",
    points=2,
    hints=(
        "Two phases of the same form, v'h averaged over rows: one with the data, one with where "
        "k Gibbs steps from the data lead.",
        "In the loop both layers are drawn: h from p(h | v'), v' from p(v | h). After the loop "
        "comes the hidden *mean* for the last v'.",
        "dW = (v.T @ mean(v) - fantasy.T @ mean(fantasy)) / len(v), "
        "db = (v - fantasy).mean(axis=0), dc = (mean(v) - mean(fantasy)).mean(axis=0).",
    ),
    see=BY_HAND,
)
@pytest.mark.parametrize("k", [1, 3])
def test_cd_update_is_right_on_average(student, inputs, k):
    """Averaged over many rows, the step is ⟨v h'⟩ of the data less that after k Gibbs steps."""

    def told_apart(rbm: RBM) -> bool:
        (mean, near), known = expected_update(rbm, k), np.array([*known_updates(rbm, k).values()])
        distances = (np.abs(known[:, None] - known) / near).max(axis=2) + 9 * np.eye(len(known))
        from_right = (np.abs(known - mean) / near).max(axis=1).min()
        return from_right > 2.2 and (k > 1 or distances.min() > 1.5)

    rbm = first_good(lambda: balanced(inputs), told_apart)
    v = np.repeat(STATES[START : START + 1], N_DRAWS, axis=0)
    answer = student.call(
        "cd_update", v=v, k=k, **parameters(rbm), rng=Seed(int(inputs.integers(2**31)))
    )
    shapes = ((3, 3), (3,), (3,))
    value = flat(answer.array(shape, part, 3) for part, shape in enumerate(shapes))
    mean, near = expected_update(rbm, k)
    if not (np.abs(value - mean) <= near).all():
        W, b, c = np.round(np.split(mean, (9, 12))[0].reshape(3, 3), 3), mean[9:12], mean[12:]
        raise answer.wrong(
            "gives another update, on average",
            expected=f"a tuple of 3, all up to {near.max():.2f}:\n{W}\n{b.round(3)}\n{c.round(3)}",
            misconception="This is the sum over the rows. The mean is asked for."
            if (np.abs(value / N_DRAWS - mean) <= near).all()
            else nearest(value, near, known_updates(rbm, k)),
        )
    if answer.changed:
        expect(answer, right=tuple(answer.value))


@pytest.mark.exercise("cd_update", see=BY_HAND)
def test_cd_update_averages_hidden_means_and_not_draws(student, inputs):
    """Both phases take the means of h: without weights they agree, and ⟨h⟩ does not move."""
    rbm = RBM(np.zeros((3, 3)), numbers(inputs, 3), numbers(inputs, 3))
    v = np.repeat(V, 500, axis=0)
    answer = student.call("cd_update", v=v, k=1, **parameters(rbm), rng=Seed(1))
    dW, db, dc = (answer.array(shape, n, 3) for n, shape in enumerate(((3, 3), (3,), (3,))))
    right = np.outer(db, sigmoid(rbm.c))
    # Draws are counted: n dc is whole, up to nσ(c) where one of the phases has means.
    n, s = len(v), sigmoid(rbm.c)
    counts = (n * dc, n * (dc + s), n * (dc - s))
    drawn = np.any(np.abs(dc) > 1e-6) and any(
        np.allclose(each, np.round(each), atol=1e-4) for each in counts
    )
    if not (np.allclose(dc, 0, atol=1e-6) and np.allclose(dW, right, atol=1e-6)):
        raise answer.wrong(
            "has noise where it needs none",
            expected="dc = 0, and each column of dW the same as db up to a factor σ(c)",
            misconception="The hidden units enter the averages by draws. E[h | v] and E[h | v'] "
            "give the same on average, with less noise: without weights both are σ(c), exactly."
            if drawn
            else "",
        )
    # Without weights each v' is 1 with the probability σ(b): Hoeffding's bound for three means.
    drift = V.mean(axis=0) - sigmoid(rbm.b)
    near = np.sqrt(np.log(6 / ERROR_RATE) / (2 * len(v)))
    if not (np.abs(db - drift) <= near).all():
        raise answer.wrong(
            "gives another db",
            expected=f"db = mean(v) − mean(v'), which is {drift.round(3)}, up to {near:.2f}",
            misconception="This is the sum over the rows. The mean is asked for."
            if (np.abs(db / len(v) - drift) <= near).all()
            else "",
        )


@pytest.mark.exercise("cd_update", see=BY_HAND, after="test_cd_update_is_right_on_average")
def test_cd_update_draws_from_the_generator_it_is_given(student, inputs):
    """The same generator gives the same update: all randomness comes from `rng`."""
    v = np.repeat(V, 20, axis=0)
    for n_hidden in (5, 2):  # more and fewer than visible units: each draw needs its own shape
        given = {"v": v, "k": 2, **parameters(balanced(inputs, n_hidden=n_hidden))}
        judge_randomness(
            lambda rng, given=given: student.call("cd_update", **given, rng=rng),
            shape=(3, n_hidden),
            part=0,
            n_parts=3,
        )


@pytest.mark.exercise(
    "pcd_update",
    hints=(
        "As CD-1, but the chain starts at `chains` and not at v; and the new chains come back.",
        "The positive phase is a mean over the rows of v, the negative one over the chains: each "
        "is divided by its own number.",
        "h = draw(mean_h(chains)); chains = draw(mean_v(h)); then dW = v.T @ mean_h(v) / len(v) - "
        "chains.T @ mean_h(chains) / len(chains).",
    ),
    see=STAND_INS,
)
def test_pcd_update_compares_the_data_with_the_new_chains(student, inputs):
    """The negative phase is the mean over the chains that come back, with hidden means."""
    rbm, chains = balanced(inputs, 1.5), np.repeat(STATES, 25, axis=0)
    answer = student.call("pcd_update", v=V, chains=chains, **parameters(rbm), rng=Seed(1))
    new, h = answer.array(chains.shape, 3, 4), rbm.hidden_mean(V)
    if not np.isin(new, (0, 1)).all():
        raise answer.wrong(
            "gives chains that are no states",
            expected=f"as the last of 4, an array of shape {chains.shape}, of 0 and 1",
            misconception="The chains must come back as states, drawn: 1 with the probability p, "
            "else 0.",
        )
    data, h_new = phase(V, h), rbm.hidden_mean(new)
    fantasies = phase(new, h_new)
    many = len(chains) / len(V)
    old = phase(chains, rbm.hidden_mean(chains))
    right = less(data, fantasies)
    known = {
        "The sign is turned round: data less fantasies, since the step is added.": (
            less(fantasies, data)
        ),
        "Both phases are divided by the number of data rows. There are more chains.": (
            less(data, (many * x for x in fantasies))
        ),
        "Both phases are divided by the number of chains. There are fewer data rows.": (
            less((x / many for x in data), fantasies)
        ),
        "The fantasies are the chains as they came. They take a step first.": less(data, old),
        "This is only the data's part. The fantasies' part is missing.": data,
        "The gradient by W is transposed: it has the shape of W.": (right[0].T, *right[1:]),
        "The updates of the biases are exchanged: b belongs to v, c to h.": (
            (right[0], right[2], right[1])
        ),
        "The phases are sums. Each is a mean over its own rows.": less(
            (len(V) * x for x in data), (len(chains) * x for x in fantasies)
        ),
    }
    expect(
        answer,
        right=(*right, new),
        misconceptions={text: (*parts, new) for text, parts in known.items()},
    )


@pytest.mark.exercise("pcd_update", see=STAND_INS)
def test_pcd_update_takes_one_gibbs_step_from_where_the_chains_were(student, inputs):
    """Each new chain is a draw that is one Gibbs step from the old one."""

    def known_chains(rbm: RBM) -> dict[str, np.ndarray]:
        h_all, no = rbm.hidden_mean(STATES), without_biases(rbm)
        down = of_states(sigmoid(rbm.b + STATES @ rbm.W))
        opposite = of_states(1 - h_all) @ of_states(1 - rbm.visible_mean(STATES))
        tables = {
            "The chains take a step from the data. They go on from where they were.": (
                moves(rbm)[[6] * 8]
            ),
            "h is not drawn: the chain hands down its means.": of_states(rbm.visible_mean(h_all)),
            "The visible biases b are missing on the way down.": moves(no[0]),
            "The hidden biases c are missing.": moves(no[1]),
            "The weights must be transposed on the way down: h @ W.T.": of_states(h_all) @ down,
            "What comes back are the hidden states. The chain ends in v.": of_states(h_all),
            "Each unit is on where the random number is larger than p, so with the probability "
            "1 − p.": opposite,
            "The chains take two steps. One is asked for.": moves(rbm) @ moves(rbm),
        }
        return {text: table[START] for text, table in tables.items()}

    def told_apart(rbm: RBM) -> bool:
        known = np.array([moves(rbm)[START], *known_chains(rbm).values()])
        distances = np.abs(known[:, None] - known).max(axis=2) + np.eye(len(known))
        return distances[0].min() > 0.05 and distances.min() > 0.04

    rbm = first_good(lambda: balanced(inputs), told_apart)
    chains = np.repeat(STATES[START : START + 1], N_DRAWS, axis=0)
    v = np.repeat(STATES[6:7], N_DRAWS, axis=0)
    answer = student.call(
        "pcd_update",
        v=v,
        chains=chains,
        **parameters(rbm),
        rng=Seed(int(inputs.integers(2**31))),
    )
    new = answer.array(chains.shape, 3, 4)
    expect_draws(
        Answer(answer.function, answer.arguments, new, answer.changed),
        right=moves(rbm)[START],
        n_draws=N_DRAWS,
        values={"These are the chains as they came: nothing has moved.": chains},
        misconceptions=known_chains(rbm),
    )


@pytest.mark.exercise(
    "pcd_update",
    see=STAND_INS,
    after="test_pcd_update_takes_one_gibbs_step_from_where_the_chains_were",
)
def test_pcd_update_draws_from_the_generator_it_is_given(student, inputs):
    """The same generator gives the same chains: all randomness comes from `rng`."""
    chains = np.repeat(V, 50, axis=0)
    for n_hidden in (5, 2):  # more and fewer than visible units: each draw needs its own shape
        given = {"v": V, "chains": chains, **parameters(balanced(inputs, n_hidden=n_hidden))}
        judge_randomness(
            lambda rng, given=given: student.call("pcd_update", **given, rng=rng),
            shape=chains.shape,
            part=3,
            n_parts=4,
        )


# ---- a step of learning


@pytest.mark.exercise(
    "momentum_step",
    hints=(
        "The new velocity first, then the parameter moves by it.",
        "Decay pulls θ towards 0: it is taken off the update, inside the bracket with the rate.",
        "velocity = momentum * velocity + rate * (update - decay * theta); "
        "return theta + velocity, velocity.",
    ),
    see=ADVICE,
)
def test_momentum_step_moves_by_the_new_velocity(student, inputs):
    """velocity ← μ velocity + ε (update − λθ), and θ moves by the new velocity, uphill."""
    theta, velocity, update = (numbers(inputs, 2, 3) for _ in range(3))
    rate, momentum, decay = 0.3, 0.6, 0.4
    decayed = update - decay * theta
    new = momentum * velocity + rate * decayed
    plain, grown = momentum * velocity + rate * update, update + decay * theta
    outside = momentum * velocity + rate * update - decay * theta
    averaged = momentum * velocity + (1 - momentum) * rate * decayed

    def moved(velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return theta + velocity, velocity

    expect(
        student.call(
            "momentum_step",
            theta=theta,
            velocity=velocity,
            update=update,
            rate=rate,
            momentum=momentum,
            decay=decay,
        ),
        right=moved(new),
        misconceptions={
            "This walks downhill: the update points uphill, and θ moves along it.": (
                (theta - new, new)
            ),
            "This walks downhill: the update is taken off the velocity.": (
                moved(momentum * velocity - rate * grown)
            ),
            "The weight decay is missing.": moved(plain),
            "The weight decay has the wrong sign: it must pull θ towards 0.": (
                moved(momentum * velocity + rate * grown)
            ),
            "The weight decay is not multiplied by the rate.": moved(outside),
            "The momentum is missing: this is a plain step.": moved(rate * decayed),
            "The velocity is kept in full: momentum does not multiply it.": (
                moved(velocity + rate * decayed)
            ),
            "The update is multiplied by 1 − μ: this is an average of updates, another rule.": (
                moved(averaged)
            ),
            "θ moves by the old velocity. The new one is computed first.": (theta + velocity, new),
            "The rate multiplies the velocity too.": (
                moved(rate * (momentum * velocity + decayed))
            ),
            "The rate comes in twice, in the velocity and in the step.": (theta + rate * new, new),
            "θ decays by λθ outright, and not by way of the velocity.": (
                ((1 - decay) * theta + plain, plain)
            ),
            "The two are exchanged: θ comes first.": (new, theta + new),
        },
    )


# ---- annealed importance sampling


def at(rbm: RBM, beta: float) -> RBM:
    """The machine at β."""
    return RBM(beta * rbm.W, beta * rbm.b, beta * rbm.c)


class Walk:
    """All that can be known of a walk through the machines at `betas`, by enumeration.

    `gains[t, v]` is what the t-th step adds to log w at v; `tables[t]` the probabilities of the
    move that follows. First the weight, then the move, unless `late`.
    """

    def __init__(self, gains: np.ndarray, tables: np.ndarray, start: np.ndarray | None = None):
        self.gains = gains
        p = [np.full(8, 1 / 8) if start is None else start]
        for table in tables[:-1]:
            p.append(p[-1] @ table)
        #: E[log w]
        self.mean = sum(float(q @ gain) for q, gain in zip(p, gains, strict=True))
        first, second = p[0], p[0]
        for gain, table in zip(gains, tables, strict=True):
            first, second = (first * np.exp(gain)) @ table, (second * np.exp(2 * gain)) @ table
        #: E[w] and E[w²]
        self.weight, self.square = float(first.sum()), float(second.sum())
        # E[(log w)²], from the moments of log w at each state
        mass, linear, quadratic = p[0], np.zeros(8), np.zeros(8)
        for gain, table in zip(gains, tables, strict=True):
            quadratic = quadratic + 2 * gain * linear + gain**2 * mass
            linear = linear + gain * mass
            mass, linear, quadratic = mass @ table, linear @ table, quadratic @ table
        self.variance = float(quadratic.sum()) - self.mean**2
        self.most, self.least = gains.max(axis=1).sum(), gains.min(axis=1).sum()

    def margins(self, n: int) -> np.ndarray:
        """How far the means of log w and of w may be from their expectations (see `margin`)."""
        log_rate = np.log(4 / ERROR_RATE)
        variances = np.array([self.variance, self.square - self.weight**2])
        mean_most = max(self.most - self.mean, self.mean - self.least)
        most = np.array([mean_most, max(np.exp(self.most) - self.weight, self.weight)])
        half = most * log_rate / 3
        return (half + np.sqrt(half**2 + 2 * n * variances * log_rate)) / n

    @property
    def expected(self) -> np.ndarray:
        """E[log w] and log E[w]."""
        return np.array([self.mean, np.log(self.weight)])


def walks(rbm: RBM, betas: np.ndarray) -> tuple[Walk, dict[str, Walk]]:
    """The right walk, and those of misconceptions."""
    F = np.array([at(rbm, beta).free_energy(STATES) for beta in betas])
    tables = np.array([moves(at(rbm, beta)) for beta in betas])
    gains, stay = F[:-1] - F[1:], np.array([np.eye(8)] * (len(betas) - 1))
    outside = np.outer(betas[:-1] - betas[1:], rbm.free_energy(STATES))
    no_b, no_c = without_biases(rbm)

    def of(rbm: RBM, gains: np.ndarray | None = None) -> Walk:
        F = np.array([at(rbm, beta).free_energy(STATES) for beta in betas])
        gains = F[:-1] - F[1:] if gains is None else gains
        return Walk(gains, np.array([moves(at(rbm, beta)) for beta in betas[1:]]))

    late_start = np.full(8, 1 / 8) @ tables[1]
    only_weights = np.array([RBM(beta * rbm.W, rbm.b, rbm.c).free_energy(STATES) for beta in betas])
    weights_moves = [moves(RBM(beta * rbm.W, rbm.b, rbm.c)) for beta in betas[1:]]
    ups = [of_states(at(rbm, beta).hidden_mean(STATES)) for beta in betas[1:]]
    downs = [of_states(sigmoid(beta * (rbm.b + STATES @ rbm.W))) for beta in betas[1:]]
    known = {
        "The sign is turned round: F_previous − F_β, since −F is the logarithm of a weight.": Walk(
            -gains, tables[1:]
        ),
        "The chains do not move: that is importance sampling from fair draws. A Gibbs step "
        "follows each weight.": Walk(gains, stay),
        "The Gibbs steps are those of the machine itself, β = 1. Each is one of the machine at "
        "β.": Walk(gains, np.array([tables[-1]] * len(gains))),
        "The Gibbs steps are those of the machine before, at the previous β.": Walk(
            gains, tables[:-1]
        ),
        "The chains move before they are weighed. First weigh, then move.": Walk(
            gains, np.array([*tables[2:], tables[-1]]), late_start
        ),
        "β stands outside: F_β is not βF. The parameters are multiplied, inside the logarithm.": of(
            rbm, outside
        ),
        "Only W is multiplied by β. The biases are annealed too.": Walk(
            only_weights[:-1] - only_weights[1:], np.array(weights_moves)
        ),
        "The visible biases b are missing.": of(no_b),
        "The hidden biases c are missing.": of(no_c),
        "The weights must be transposed on the way down: h @ W.T.": Walk(
            gains, np.array([up @ down for up, down in zip(ups, downs, strict=True)])
        ),
        "All chains start at v = 0. They start at fair draws.": Walk(
            gains, tables[1:], np.eye(8)[0]
        ),
        "The chains start at draws with the visible biases. At β = 0 the biases are 0 too.": Walk(
            gains, tables[1:], of_states(sigmoid(rbm.b)[None, :])[0]
        ),
        "The first step of β is left out.": Walk(gains[1:], tables[2:]),
        "The last step of β is left out.": Walk(gains[:-1], tables[1:-1]),
    }
    return Walk(gains, tables[1:]), known


def walk(rbm: RBM, betas: np.ndarray, move: Callable[[RBM], np.ndarray] = moves) -> Walk:
    """The walk in which the chains make this move in the machine at each β."""
    F = np.array([at(rbm, beta).free_energy(STATES) for beta in betas])
    return Walk(F[:-1] - F[1:], np.array([move(at(rbm, beta)) for beta in betas[1:]]))


def moves_by_means(rbm: RBM) -> np.ndarray:
    """Probabilities of a step in which h is handed down by its means."""
    return of_states(rbm.visible_mean(rbm.hidden_mean(STATES)))


def call_ais(
    student: Student, inputs: np.random.Generator, rbm: RBM, betas: np.ndarray, n_chains: int
) -> Answer:
    """The learner's log weights, with a seed of their own."""
    return student.call(
        "ais_log_weights",
        **parameters(rbm),
        betas=betas,
        n_chains=n_chains,
        rng=Seed(int(inputs.integers(2**31))),
    )


def all_among(log_w: np.ndarray, gains: np.ndarray) -> bool:
    """Whether each log w is a sum of one gain of each step."""
    sums = sum(np.ix_(*gains)).ravel()
    with np.errstate(all="ignore"):  # a wrong answer may be of any size
        return bool((np.abs(log_w[:, None] - sums).min(axis=1) < 1e-4).all())


@pytest.mark.exercise(
    "ais_log_weights",
    hints=(
        "A loop over pairs of neighbours in betas. v has one row a chain, log_w one number a "
        "chain; both live through the loop.",
        "In each round: log_w += F(v at previous) − F(v at β), where F at β has βW, βb, βc. Then h "
        "is drawn with σ(β(c + vW)), and v with σ(β(b + hW')).",
        "free_energy(v, beta) = -beta * (v @ b) - np.logaddexp(0, beta * (c + v @ W)).sum(axis=1); "
        "the start is (rng.random((n_chains, n_visible)) < 0.5) * 1.0.",
    ),
    see=DIGITS,
)
def test_ais_weights_have_the_mean_z_by_z_of_the_start(student, inputs):
    """The mean of w is Z / 2ⁿ up to chance, and that of log w what the walk leads to."""
    betas = np.array([0.0, 0.3, 0.6, 1.0])

    def told_apart(rbm: RBM) -> bool:
        right, known = walks(rbm, betas)
        near = right.margins(N_DRAWS) / (1, right.weight)
        points = np.array([right.expected, *(walk.expected for walk in known.values())])
        distances = (np.abs(points[:, None] - points) / (near[0], 0.1)).max(axis=2)
        distances += 9 * np.eye(len(points))
        return near[1] < 0.1 and distances[0].min() > 2 and distances.min() > 0.8

    rbm = first_good(lambda: balanced(inputs, 1.3), told_apart)
    right, known = walks(rbm, betas)
    answer = call_ais(student, inputs, rbm, betas, N_DRAWS)
    log_w = answer.array((N_DRAWS,))
    near = right.margins(N_DRAWS)
    with np.errstate(all="ignore"):
        found = np.array([log_w.mean(), np.exp(log_w).mean()])
    if (np.abs(found - (right.mean, right.weight)) <= near).all():
        if answer.changed:
            expect(answer, right=answer.value)
        return
    with np.errstate(all="ignore"):
        logs = np.array([found[0], np.log(found[1])])
    values = {text: walk.expected for text, walk in known.items()}
    added = "log Z of the start is added here. w estimates Z / Z of the start alone."
    values[added] = right.expected + 6 * np.log(2)
    named = nearest(logs, near / (1, right.weight), values)
    if (log_w > 0).all():
        taken = np.array([np.log(log_w).mean(), found[0]])
        if (np.abs(taken - (right.mean, right.weight)) <= near).all():
            named = "These are the weights w. Their logarithms are asked for."
    raise answer.wrong(
        "gives weights with another mean",
        expected=(
            f"mean of log w: {right.mean:.3f}, up to {near[0]:.3f}\n"
            f"mean of w:     {right.weight:.3f}, up to {near[1]:.3f}"
        ),
        details=f"mean of log w: {found[0]:.3f}\nmean of w:     {found[1]:.3f}",
        misconception=named,
    )


@pytest.mark.exercise("ais_log_weights", see=DIGITS)
def test_ais_draws_the_hidden_units_of_each_move(student, inputs):
    """The mean of log w shows where the chains went: both layers are drawn in a Gibbs step."""
    betas = np.array([0.0, 0.3, 0.6, 1.0])

    def near(walk: Walk) -> float:
        return float(walk.margins(N_DRAWS)[0])

    def told_apart(rbm: RBM) -> bool:
        wrong = walk(rbm, betas, moves_by_means)
        return all(
            abs(other.mean - wrong.mean) > 1.1 * (near(other) + near(wrong))
            for other in (walk(rbm, betas), *walks(rbm, betas)[1].values())
        )

    rbm = first_good(lambda: balanced(inputs), told_apart)
    answer = call_ais(student, inputs, rbm, betas, N_DRAWS)
    log_w = answer.array((N_DRAWS,))
    with np.errstate(all="ignore"):  # a wrong answer may be of any size
        found, spread = log_w.mean(), log_w.std()

    def fits(walk: Walk) -> bool:
        return bool(abs(found - walk.mean) <= near(walk))

    right, known = walks(rbm, betas)
    if not fits(right):
        wrong = walk(rbm, betas, moves_by_means)
        by_means = fits(wrong) and np.isclose(spread, np.sqrt(wrong.variance), rtol=0.1)
        by_means = by_means and all_among(log_w[:100], wrong.gains)
        raise answer.wrong(
            "gives weights with another mean",
            expected=f"mean of log w: {right.mean:.3f}, up to {near(right):.3f}",
            details=f"mean of log w: {found:.3f}",
            misconception="h is not drawn: the chains hand down its means. A Gibbs step draws both "
            "layers."
            if by_means and not any(map(fits, known.values()))
            else "",
        )
    if answer.changed:
        expect(answer, right=answer.value)


@pytest.mark.exercise(
    "ais_log_weights", see=DIGITS, after="test_ais_weights_have_the_mean_z_by_z_of_the_start"
)
def test_ais_goes_through_the_betas_that_are_given(student, inputs):
    """With betas 0, 1, 1 the first step says all: each log w is an F₀(v) − F₁(v)."""
    rbm, betas, n_chains = balanced(inputs, 1.3), np.array([0.0, 1.0, 1.0]), 200
    F = np.array([at(rbm, beta).free_energy(STATES) for beta in (0.0, 0.5, 1.0)])
    answer = call_ais(student, inputs, rbm, betas, n_chains)
    log_w, gains = answer.array((n_chains,)), F[0] - F[2]
    if not all_among(log_w, gains[None, :]):
        raise answer.wrong(
            "gives weights that these betas do not lead to",
            expected=f"{n_chains} numbers, each one of {np.round(gains, 3)}",
            misconception="This is what betas 0, ½, 1 lead to. Take the betas that are given, "
            "which need not be equally far apart."
            if all_among(log_w, F[:-1] - F[1:])
            else "",
        )


@pytest.mark.exercise(
    "ais_log_weights", see=DIGITS, after="test_ais_weights_have_the_mean_z_by_z_of_the_start"
)
def test_ais_draws_from_the_generator_it_is_given(student, inputs):
    """The same generator gives the same weights: all randomness comes from `rng`."""
    betas = np.array([0.0, 0.5, 1.0])
    for n_hidden in (5, 2):  # more and fewer than visible units: each draw needs its own shape
        given = {**parameters(balanced(inputs, n_hidden=n_hidden)), "betas": betas, "n_chains": 40}
        judge_randomness(
            lambda rng, given=given: student.call("ais_log_weights", **given, rng=rng), (40,)
        )
