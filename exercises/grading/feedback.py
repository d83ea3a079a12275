"""Comparing answers with what is right and with what is known to be thought wrongly.

A test says what is right, and gives for each misconception the value that it leads to:

    expect(answer, right=rbm.hidden_mean(v), misconceptions={
        "That is what comes out when the hidden biases are left out.": sigmoid(v @ W),
    })

An answer that is none of these still gets the whole picture: call, input, answer, expectation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from exercises.grading.student import Answer, StudentError, as_numbers
from exercises.grading.wording import show

#: said in addition where all rows come out alike, which has two causes
SHARED = " (Or do all rows share one random number? Each wants its own.)"
#: how probable it is, at most, that one judgement of draws calls a right sampler wrong
ERROR_RATE = 1e-8


def expect(
    answer: Answer,
    right: Any,
    *,
    misconceptions: Mapping[str, Any] | None = None,
    atol: float = 1e-6,
    rtol: float = 1e-5,
) -> None:
    """Pass if the answer equals `right`; else StudentError with the best explanation there is.

    Parameters
    ----------
    answer : from `student.call`
    right : a number, an array, or a tuple of them
    misconceptions : sentence → the value that this misconception leads to, shaped as it would be
    atol, rtol : |answer − right| ≤ atol + rtol |right| entry by entry; float32 passes

    Raises
    ------
    StudentError
        when the answer is wrong, or right but an argument was changed on the way
    """
    if equal(answer.value, right, atol, rtol):
        if answer.changed:
            raise _changed(answer, right)
        return
    known = (misconceptions or {}).items()
    named = next((text for text, value in known if equal(answer.value, value, atol, rtol)), "")
    shaped = same_shape(answer.value, right)
    shown = show(right if isinstance(right, tuple) else np.asarray(right))
    raise answer.wrong(
        "gives wrong values" if shaped else "gives something of the wrong shape",
        expected=f"{_kind(right)}\n{shown}",
        details=_difference(answer.value, right) if shaped else "",
        misconception=named,
    )


def equal(value: Any, right: Any, atol: float, rtol: float) -> bool:
    """Whether two values have the same shape and, within the tolerance, the same numbers."""
    if not same_shape(value, right):
        return False
    pairs = zip(_parts(value, right), _parts(right, right), strict=True)
    with np.errstate(all="ignore"):  # a wrong answer may be of any size
        return all(np.allclose(a, b, atol=atol, rtol=rtol, equal_nan=True) for a, b in pairs)


def same_shape(value: Any, right: Any) -> bool:
    """Whether `value` is numbers in the shape of `right`, part by part where that is a tuple."""
    if isinstance(right, tuple):
        sequence = isinstance(value, (tuple, list)) and len(value) == len(right)
        return sequence and all(same_shape(v, r) for v, r in zip(value, right, strict=True))
    array = as_numbers(value)
    return array is not None and array.shape == np.shape(right)


def _parts(value: Any, right: Any) -> list[np.ndarray]:
    """The value as the list of arrays that `right` is made of: several if that is a tuple."""
    values = value if isinstance(right, tuple) else (value,)
    return [np.asarray(part, dtype=np.float64) for part in values]


def _kind(right: Any) -> str:
    if isinstance(right, tuple):
        return f"a tuple of {len(right)}: shapes {', '.join(str(np.shape(r)) for r in right)}"
    shape = np.shape(right)
    return f"an array of shape {shape}" if shape else "a number"


def _difference(value: Any, right: Any) -> str:
    """How many entries differ, and where most."""
    lines = []
    pairs = zip(_parts(value, right), _parts(right, right), strict=True)
    for n, (a, b) in enumerate(pairs):
        with np.errstate(all="ignore"):
            gap = np.asarray(np.abs(a - b))
        gap[np.isnan(gap)] = np.inf
        wrong = int((gap > 1e-6 + 1e-5 * np.abs(b)).sum())
        if not wrong:
            continue
        at = np.unravel_index(int(gap.argmax()), gap.shape)
        where = f"[{n}]" * isinstance(right, tuple) + f"[{', '.join(map(str, at))}]" * bool(at)
        lines.append(
            f"{wrong} of {gap.size} {'entry' if gap.size == 1 else 'entries'}; "
            f"most{' at ' + where if where else ''}: {a[at]:.6g} instead of {b[at]:.6g}"
        )
    return "\n".join(lines)


def _changed(answer: Answer, right: Any) -> StudentError:
    names = ", ".join(answer.changed)
    sentence = (
        f"The values are right, but the call changed its argument {names}, which belongs to the "
        f"caller. Work on a copy: {answer.changed[0]} = {answer.changed[0]}.copy()"
    )
    return answer.wrong(
        f"changes its argument {names}",
        expected=f"{names} as it was before the call",
        misconception=sentence,
    )


# ---- draws


def expect_draws(
    answer: Answer,
    right: np.ndarray,
    *,
    n_draws: int,
    misconceptions: Mapping[str, np.ndarray] | None = None,
    values: Mapping[str, Any] | None = None,
) -> None:
    """Pass if the rows of the answer are independent draws from a distribution over binary states.

    Parameters
    ----------
    answer : its value has one row a draw and one column a unit, all 0 or 1
    right : probability of each of the 2ⁿ states, the last unit being the least significant
    n_draws : how many rows must come back
    misconceptions : sentence → the distribution that this misconception leads to
    values : sentence → an array that comes back if nothing is drawn, such as the probabilities

    Notes
    -----
    The share of each state is held against its probability by Chernoff's bound,
    P(n KL(share ‖ p) ≥ t) ≤ 2 exp(−t), for all states together at `ERROR_RATE`. It is a bound and
    no approximation: a right sampler, in whatever order it draws, fails less often than that.
    """
    n_units = int(np.log2(len(right)))
    value = as_numbers(answer.value)
    kind = f"an array of shape (n, {n_units}) of draws, each 0 or 1"
    for sentence, alternative in (values or {}).items():
        if equal(answer.value, alternative, 1e-6, 1e-5):
            alike = (
                np.shape(alternative)[:1] == (n_draws,) and not np.ptp(alternative, axis=0).any()
            )
            raise answer.wrong(
                "draws nothing", expected=kind, misconception=sentence + SHARED * alike
            )
    if value is None or value.shape != (n_draws, n_units):
        expected = f"an array of shape {(n_draws, n_units)}"
        raise answer.wrong("gives something of the wrong shape", expected=expected)
    if not np.isin(value, (0, 1)).all():
        raise answer.wrong("gives values that are no states", expected=kind)
    counts = count_states(value)
    if fits(counts, right):
        if answer.changed:
            raise _changed(answer, right)
        return
    known = (misconceptions or {}).items()
    named = next((text for text, other in known if fits(counts, other)), "")
    alike = counts.max() == n_draws
    raise answer.wrong(
        "draws from another distribution",
        expected=f"an array of shape {value.shape}, whose rows come with other frequencies",
        details=_shares(counts, right),
        misconception=(named or "All rows come out alike.") + SHARED if alike else named,
    )


def count_states(states: np.ndarray) -> np.ndarray:
    """How often each of the 2ⁿ states occurs among the rows."""
    n_units = states.shape[1]
    powers = 2 ** np.arange(n_units - 1, -1, -1)
    return np.bincount(states.astype(np.int64) @ powers, minlength=2**n_units)


def fits(counts: np.ndarray, probabilities: np.ndarray) -> bool:
    """Whether counts may come from a distribution; wrong for right ones at most `ERROR_RATE`."""
    n = counts.sum()
    share, p = counts / n, np.clip(probabilities, 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # KL(share ‖ p) = share log(share / p) + (1 − share) log((1 − share) / (1 − p))
        on = np.where(share > 0, share * np.log(share / p), 0.0)
        off = np.where(share < 1, (1 - share) * np.log((1 - share) / (1 - p)), 0.0)
    most = np.log(2 * len(counts) / ERROR_RATE)
    return bool((n * (on + off) <= most).all())


def _shares(counts: np.ndarray, probabilities: np.ndarray) -> str:
    """The states whose share is farthest off."""
    share = counts / counts.sum()
    width = int(np.log2(len(counts)))
    worst = np.argsort(-np.abs(share - probabilities))[:4]
    return "\n".join(
        f"{' '.join(f'{number:0{width}b}')}  came in {share[number]:.1%} of the draws, "
        f"should in {probabilities[number]:.1%}"
        for number in worst
    )
