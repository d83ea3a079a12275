"""How alike two sources are, once names and comments are taken away: for a person to judge.

    share(a, b) = |A ∩ B| / min(|A|, |B|),   A, B the sets of runs of K tokens

What the course hands out, and what many students have in common, is taken out of both sets first:
short functions have one obvious answer. A high share proves nothing, and costs no points.

Source: Schleimer, Wilkerson and Aiken (2003), for runs of tokens and for leaving out common ones.
"""

from __future__ import annotations

import io
import keyword
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path

#: tokens in a run; fewer runs than this say nothing
K, FEWEST = 12, 40
#: a pair of students is shown from this share on. Answers written apart stay below 0.1
SHARE = 0.5
#: a student and the library, of which nobody copies the whole
LIBRARY_SHARE = 0.25
#: what more than this part of a class has, it has from the task and not from each other
COMMON, SMALL_CLASS = 0.2, 10
#: bytes and tokens of a source that are looked at
MAX_SOURCE, MAX_TOKENS = 200_000, 20_000

#: blanks in a row beyond which nobody's layout goes
MANY_BLANKS = re.compile(rb"([ \t\f]{100})[ \t\f]+")

#: tokens that hold no code
LAYOUT = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}


@dataclass(frozen=True)
class Pair:
    """Two sources that are alike.

    Attributes
    ----------
    one, other : whose they are; `other` may be a file of the library
    share : part of the shorter one's runs of tokens that the other has too
    """

    one: str
    other: str
    share: float


def few_blanks(source: bytes) -> bytes:
    """A source without the blanks beyond a hundred in a row.

    Before Python 3.12 `tokenize` looks at blanks before a sign that it does not know once more for
    each of them: a hundred thousand would stop the grader.
    """
    return MANY_BLANKS.sub(rb"\1", source)


def tokens(source: bytes) -> Iterator[str]:
    """The code without layout, comments, docstrings, and the names that one may choose."""
    text = few_blanks(source)[:MAX_SOURCE].decode("utf-8", "replace")
    lines = io.StringIO(text).readline
    before, fresh = "", True  # the token before this one; whether a statement begins
    try:
        for token in tokenize.generate_tokens(lines):
            if token.type in LAYOUT:
                fresh = fresh or token.type in (tokenize.NEWLINE, tokenize.INDENT)
                continue
            if token.type == tokenize.STRING:
                if not fresh:  # else it is a docstring
                    yield "string"
            elif token.type != tokenize.NAME or keyword.iskeyword(token.string) or before == ".":
                yield token.string  # an attribute, as in np.exp, is not for the student to name
            else:
                yield "name"
            before, fresh = token.string, False
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        return  # it is no Python from here on


def is_too_long(source: bytes) -> bool:
    """Whether only the beginning of a source is looked at: what follows could be anybody's."""
    if len(few_blanks(source)) > MAX_SOURCE:
        return True
    return sum(1 for _ in islice(tokens(source), MAX_TOKENS + 1)) > MAX_TOKENS


def runs(source: bytes) -> set[int]:
    """A number for each run of K tokens."""
    found = list(islice(tokens(source), MAX_TOKENS))
    return {hash(tuple(found[n : n + K])) for n in range(len(found) - K + 1)}


def alike(
    sources: Iterable[tuple[str, bytes]], *, given: Iterable[bytes], library: Mapping[str, bytes]
) -> list[Pair]:
    """The pairs with a large share, the largest first.

    Parameters
    ----------
    sources : for each student a name and the file
    given : what was handed out, which everyone may have
    library : name → source, such as the modules of dbnlib
    """
    known = set().union(*(runs(source) for source in given))
    found = {name: runs(source) - known for name, source in sources}
    common = set()
    if len(found) >= SMALL_CLASS:
        counts = Counter(run for each in found.values() for run in each)
        common = {run for run, n in counts.items() if n > COMMON * len(found)}
    own = {name: each - common for name, each in found.items()}
    pairs = [Pair(one, other, share(own[one], own[other])) for one, other in combinations(own, 2)]
    pairs = [pair for pair in pairs if pair.share >= SHARE]
    parts = {name: runs(source) - known for name, source in library.items()}
    whole = set().union(*parts.values())
    for name, each in found.items():
        part = share(each, whole, of_first=True)
        if part >= LIBRARY_SHARE:
            nearest = max(parts, key=lambda module, each=each: len(parts[module] & each))
            pairs.append(Pair(name, nearest, part))
    return sorted(pairs, key=lambda pair: -pair.share)


def share(a: set[int], b: set[int], *, of_first: bool = False) -> float:
    """Part of the smaller set, or of the first, that is in the other; 0 where that is too small."""
    size = len(a) if of_first else min(len(a), len(b))
    return len(a & b) / size if size >= FEWEST else 0.0


def library_sources(root: Path) -> dict[str, bytes]:
    """The modules of dbnlib."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted((root / "dbnlib").rglob("*.py"))
    }
