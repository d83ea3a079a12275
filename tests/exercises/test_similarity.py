"""Sources that are alike: copies are found however disguised, and answers written apart are not."""

from __future__ import annotations

import re
import tokenize
import tomllib

import pytest

from exercises.common import ROOT
from exercises.grading import similarity
from exercises.grading.similarity import LIBRARY_SHARE, SHARE, Pair, alike, runs, share, tokens
from exercises.grading.units import find_unit
from tests.exercises.bank import FOLDER

BANK = tomllib.loads((FOLDER / "unit_02.toml").read_text(encoding="utf-8"))
STUB = find_unit("02").stub.read_bytes()
REFERENCE = BANK["reference"].encode()
#: another right answer, each of its functions written otherwise
APART = "\n".join({e["function"]: e["code"] for e in BANK["right"]}.values()).encode()


def compare(*sources: bytes, library: dict[str, bytes] | None = None) -> list[Pair]:
    """The pairs among students 0, 1, …"""
    named = [(str(n), source) for n, source in enumerate(sources)]
    return alike(named, given=[STUB], library=library or {})


def disguised(source: bytes) -> bytes:
    """Other names, comments, docstrings, blank lines and another order of functions."""
    text = source.decode()
    for name in ("all_v", "all_h", "states", "sigmoid", r"\bp\b", r"\bh\b"):
        text = re.sub(name, "x" + re.sub(r"\W", "", name), text)
    head, *functions = re.split(r"(?=^def )", text, flags=re.MULTILINE)
    functions = [re.sub(r":\n", ":  # mine\n\n    # all mine\n", f, count=1) for f in functions]
    return "\n\n\n".join([head, *functions[::-1]]).encode()


# Tokens


@pytest.mark.parametrize("before", [b"x = 1", b"", b"("], ids=["in a line", "at its start", "open"])
def test_tokenizer_is_given_no_more_than_a_hundred_blanks_in_a_row(before, monkeypatch):
    """It takes a time that grows as their square, where a sign follows that it does not know."""
    longest, tokenizer = [], tokenize.generate_tokens

    def watched(readline):
        def line():
            text = readline()
            longest.append(max(map(len, re.findall(r"\s+", text)), default=0))
            return text

        return tokenizer(line)

    monkeypatch.setattr(tokenize, "generate_tokens", watched)
    list(tokens(before + b" \t" * 1000 + b"?"))
    assert max(longest) == 100


def test_names_comments_docstrings_and_layout_do_not_count():
    one = b'def f(a):\n    """Doc."""\n    # twice\n    return 2 * a\n'
    other = b"def twice( number ):\n\n  return 2*number  # mine"
    assert list(tokens(one)) == list(tokens(other))


def test_keywords_numbers_signs_and_attributes_do():
    assert list(tokens(b"return 2 * np.exp(x)")) == [
        *("return", "2", "*", "name", ".", "exp", "(", "name", ")")
    ]


@pytest.mark.parametrize(
    "source",
    [b"\xff\xfe", b"\0", b"(" * 5000, b"'''", b"  x\n x\n", b"\\", b"x = '", b"", b"1" * 10**6],
    ids=range(9),
)
def test_what_is_no_python_is_looked_at_as_far_as_it_goes(source):
    assert isinstance(runs(source[:3000] + b"\n" + source), set)


# Students


def test_copy_is_found_however_disguised():
    assert disguised(REFERENCE) != REFERENCE
    (pair,) = compare(REFERENCE, APART, disguised(REFERENCE))
    assert (pair.one, pair.other) == ("0", "2")
    assert pair.share > 0.9


def test_answers_written_apart_are_far_from_being_flagged():
    given = runs(STUB)
    assert share(runs(REFERENCE) - given, runs(APART) - given) < 0.2 * SHARE


def test_stubs_that_everyone_has_are_no_copies_of_each_other():
    assert compare(STUB, STUB, STUB + b"\n# mine\n") == []


def test_short_answers_say_nothing():
    short = b"def double(x):\n    return 2 * x\n"
    assert compare(short, short) == []


def test_what_a_large_class_has_in_common_is_left_out(monkeypatch):
    assert len(compare(*[REFERENCE] * 3)) == 3
    monkeypatch.setattr(similarity, "SMALL_CLASS", 3)
    assert compare(*[REFERENCE] * 3) == []


def test_shares_are_of_the_shorter_source_and_the_largest_come_first():
    half = REFERENCE[: len(REFERENCE) * 2 // 3]
    mixed = half + APART
    pairs = compare(REFERENCE, half, mixed)
    assert (pairs[0].one, pairs[0].other) in {("0", "1"), ("1", "2")}
    assert [p.share for p in pairs] == sorted((p.share for p in pairs), reverse=True)
    assert pairs[0].share > 0.95


@pytest.mark.parametrize(
    ("padding", "too_long"),
    [
        *(
            (b"# x\n" * 60_000, True),
            (b"x = 1\n" * 10_000, True),
            (b"'" + b"x" * 200_000 + b"'", True),
        ),
        *((b"x = 1\n" * 1000, False), (b" " * 10**6 + b"\n", False)),
    ],
    ids=["comments", "code", "a text", "a little code", "blanks"],
)
def test_source_is_too_long_where_padding_hides_its_end(padding, too_long):
    assert similarity.is_too_long(padding + REFERENCE) == too_long
    if not too_long:
        assert runs(padding + REFERENCE) >= runs(REFERENCE)


# The library


def test_code_of_the_library_is_found_and_its_module_named():
    library = similarity.library_sources(ROOT)
    taken = library["dbnlib/exact.py"][:4000].replace(b"rbm", b"machine")
    (pair,) = compare(taken, library=library)
    assert (pair.one, pair.other) == ("0", "dbnlib/exact.py")
    assert pair.share > 0.8


def test_right_answers_are_far_from_the_library():
    library = similarity.library_sources(ROOT)
    whole = set().union(*(runs(source) for source in library.values()))
    for source in (REFERENCE, APART):
        assert share(runs(source) - runs(STUB), whole, of_first=True) < 0.5 * LIBRARY_SHARE
