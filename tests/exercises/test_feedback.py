"""What a learner is told: right answers pass, wrong ones are named, the grader stays upright."""

from __future__ import annotations

import numpy as np
import pytest

from exercises.grading import Seed, expect, expect_draws, student
from exercises.grading.feedback import count_states, fits
from exercises.grading.student import Answer, StudentError
from exercises.grading.wording import clean, describe, show, show_call

X = np.array([1.0, 2.0])


def answer(value, changed=()):
    """An answer to double(x)."""
    return Answer("double", {"x": X}, value, list(changed))


def message(value, right=2 * X, **options) -> str:
    """What is said of a wrong answer."""
    with pytest.raises(StudentError) as caught:
        expect(answer(value), right, **options)
    return str(caught.value)


# Values


@pytest.mark.parametrize(
    "value",
    [2 * X, [2.0, 4.0], (2, 4), (2 * X).astype(np.float32), (2 * X).astype(np.int8), 2 * X + 1e-9],
    ids=repr,
)
def test_right_numbers_pass_in_any_dress(value):
    expect(answer(value), 2 * X)


@pytest.mark.parametrize(
    "value",
    [X, None, "2 4", {"x": 1}, 2.0, 2 * X[:, None], [[1], [2, 3]], X * np.nan, [], 2 * X + 1e-4],
    ids=repr,
)
def test_anything_else_fails(value):
    with pytest.raises(StudentError):
        expect(answer(value), 2 * X)


def test_tuple_is_compared_part_by_part():
    expect(Answer("both", {}, [X, 1.0]), (X, 1.0))
    with pytest.raises(StudentError, match=r"most at \[1\]: 2 instead of 1"):
        expect(Answer("both", {}, (X, 2.0)), (X, 1.0))


@pytest.mark.parametrize("value", [(X,), (X, 1.0, 2.0), X, None, (X, X)], ids=repr)
def test_tuple_of_other_parts_fails(value):
    with pytest.raises(StudentError, match="wrong shape"):
        expect(Answer("both", {}, value), (X, 1.0))


def test_message_holds_call_answer_and_expectation():
    said = message(3 * X)
    for part in (
        "double(x) with",
        "x = [1. 2.]",
        "an array of shape (2,), float64\n            [3. 6.]",
        "expected    an array of shape (2,)\n            [2. 4.]",
        "2 of 2 entries; most at [1]: 6 instead of 4",
    ):
        assert part in said


def test_message_of_a_number_has_no_place():
    assert "1 of 1 entry; most: 3 instead of 2" in message(3.0, right=2.0)


def test_misconception_is_named():
    known = {"It is not squared.": X**2 + 1, "It is doubled, not tripled.": 3 * X}
    with pytest.raises(StudentError, match="doubled, not tripled") as caught:
        expect(answer(3 * X), 2 * X, misconceptions=known)
    assert caught.value.misconception == "It is doubled, not tripled."


def test_misconception_of_another_shape_is_named():
    assert message(6.0, misconceptions={"It is the sum.": 6.0}).endswith("It is the sum.")


def test_right_answer_passes_though_a_misconception_leads_to_the_same():
    expect(answer(2 * X), 2 * X, misconceptions={"x + x, for once": 2 * X})


def test_none_asks_for_the_return():
    assert "without a `return`" in message(None)


def test_right_answer_that_changes_its_argument_fails():
    with pytest.raises(StudentError, match=r"x = x.copy\(\)"):
        expect(answer(2 * X, changed=["x"]), 2 * X)


def test_array_gives_numbers_of_the_shape_asked_for():
    assert np.array_equal(answer([1, 2]).array((2,)), [1.0, 2.0])


@pytest.mark.parametrize("value", [None, "ab", [1], [[1, 2]], {"a": 1}, [None, 1]], ids=repr)
def test_array_of_anything_else_fails_the_student(value):
    with pytest.raises(StudentError, match="expected"):
        answer(value).array((2,))


def test_array_of_a_part_wants_as_many_parts_as_there_should_be():
    assert answer((X, 3.0)).array((), 1, 2) == 3
    for value in ((X, 3.0, 0.0), (X,), X, [3.0, X], None, "ab"):
        with pytest.raises(StudentError, match=r"a tuple of 2, and at \[1\] a number"):
            answer(value).array((), 1, 2)


@pytest.mark.parametrize(
    "value", [["x" * 10**6, *["y"] * 10**6], [1.0, ["y"]]], ids=["many", "one"]
)
def test_texts_are_never_made_into_an_array(value, monkeypatch):
    # One of a million letters makes all of them as long: terabytes.
    monkeypatch.setattr(student.np, "asarray", lambda value: pytest.fail("an array of texts"))
    assert student.as_numbers(value) is None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8, bool])
def test_numbers_of_any_kind_are_computed_with_in_double_precision(dtype):
    assert answer(np.ones(2, dtype)).array((2,)).dtype == np.float64
    assert answer(np.ones(2, dtype)[0]).array(()).dtype == np.float64


# Draws

P = np.array([0.1, 0.2, 0.3, 0.4])
N = 20_000


def draws(p, seed=0):
    """N rows of two units from a distribution over their four states."""
    numbers = np.random.default_rng(seed).choice(4, size=N, p=p)
    return np.stack([numbers >> 1, numbers & 1], axis=1)


def judge(value, **options):
    """The verdict on draws."""
    start = np.zeros((N, 2))
    expect_draws(Answer("step", {"v": start}, value), P, n_draws=N, **options)


@pytest.mark.parametrize("seed", range(20))
def test_right_draws_pass(seed):
    judge(draws(P, seed))


def test_right_draws_of_another_dtype_pass():
    judge(draws(P).astype(bool))


def test_states_are_counted_with_the_last_unit_least_significant():
    assert count_states(np.array([[0, 1], [1, 0], [1, 0], [1, 1]])).tolist() == [0, 1, 2, 1]


def test_other_distribution_fails_and_is_named():
    other = P[::-1]
    with pytest.raises(StudentError, match="turned round") as caught:
        judge(draws(other), misconceptions={"It is turned round.": other})
    assert "should in 40.0%" in str(caught.value)


def test_right_shares_of_single_units_that_depend_on_each_other_fail():
    # Both units are on half the time, but always together.
    with pytest.raises(StudentError):
        expect_draws(
            Answer("step", {}, np.repeat([[0, 0], [1, 1]], N // 2, axis=0)),
            np.full(4, 0.25),
            n_draws=N,
        )


def test_probabilities_for_samples_are_named():
    means = np.full((N, 2), 0.5)
    with pytest.raises(StudentError, match="are probabilities"):
        judge(means, values={"These are probabilities.": means})


@pytest.mark.parametrize(
    "value",
    [None, 1.0, draws(P)[:-1], draws(P).T, draws(P) * 2, draws(P) * np.nan, "x"],
    ids=["none", "number", "one row less", "transposed", "twos", "nan", "text"],
)
def test_what_are_no_draws_fails(value):
    with pytest.raises(StudentError):
        judge(value)


def test_impossible_state_fails_and_certain_state_passes():
    assert fits(np.array([0, 5]), np.array([0.0, 1.0 + 1e-16]))
    assert not fits(np.array([1, 10**6]), np.array([0.0, 1.0]))


def test_error_rate_is_below_the_one_stated():
    # P(fail) = Σ over counts k that fail of Binomial(k; n, p), summed exactly for a single unit.
    from scipy.stats import binom

    n = 500
    for p in (0.002, 0.3, 0.5):
        k = np.arange(n + 1)
        failing = [not fits(np.array([n - i, i]), np.array([1 - p, p])) for i in k]
        assert binom.pmf(k, n, p)[failing].sum() < 1e-8


# Words


def test_foreign_text_loses_its_control_characters():
    assert clean("\x1b[31mred\x07\u202e\r\x00 ok\nnext") == "�[31mred���� ok\nnext"


def test_foreign_text_is_cut():
    assert clean("x" * 10**6, 10) == "x" * 10 + " …"


def test_lone_surrogates_can_be_printed():
    assert clean("a\ud800b").encode().startswith(b"a")


def test_large_array_is_shown_by_its_corners():
    assert len(show(np.zeros((1000, 1000)))) < 500


def test_call_shows_each_argument():
    assert show_call("step", {"v": X, "rng": Seed(3)}) == (
        "step(v, rng) with\n  v = [1. 2.]\n  rng = numpy.random.default_rng(3)"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "None"),
        (np.float32(1), "a number, float32"),
        (np.zeros((2, 3)), "an array of shape (2, 3), float64"),
        ([1, 2], "a list of 2"),
        ((X, X), "a tuple of 2, arrays of shapes (2,), (2,)"),
        (True, "True or False"),
        ({"a": 1}, "a dict"),
    ],
    ids=repr,
)
def test_kind_of_a_value_in_words(value, said):
    value = np.asarray(value) if isinstance(value, np.generic) else value
    assert describe(value) == said
