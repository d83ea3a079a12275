"""Whether a function still stands as it was handed out, but for comments and layout.

A unit may hand out programs that run and are wrong. Its grader knows each by a fingerprint, since
the file that was handed out may be the very one that is being mended:

    python -m exercises.grading.untouched exercises/bug_hunt/bug_hunt.py

prints those of all functions in a file, for the grader's HANDED_OUT.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tokenize
from itertools import pairwise
from pathlib import Path

from exercises.grading.similarity import few_blanks

#: tokens that say nothing, and those whose place says something and whose text does not
SILENT = {tokenize.ENCODING, tokenize.COMMENT, tokenize.NL, tokenize.ENDMARKER}
LAYOUT = {tokenize.NEWLINE: "newline", tokenize.INDENT: "indent", tokenize.DEDENT: "dedent"}


def statements(source: bytes) -> list[list[str]]:
    """The statements of a module, each as its tokens; none where it is no Python."""
    found: list[list[str]] = []
    depth, fresh = 0, True
    try:
        for token in tokenize.tokenize(io.BytesIO(few_blanks(source)).readline):
            if token.type in SILENT:
                continue
            depth += (token.type == tokenize.INDENT) - (token.type == tokenize.DEDENT)
            if fresh and depth == 0 and token.type not in LAYOUT:
                found.append([])
            if found:
                found[-1].append(LAYOUT.get(token.type, token.string))
            fresh = token.type in LAYOUT
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return found


def fingerprint(source: bytes, function: str) -> str:
    """Ten hexadecimal digits that depend on all of a function's code.

    Empty where the module defines it in no place, in several, or with a decorator.
    """
    known = statements(source)
    mine = [words for words in known if function in words[:2]]
    decorated = any(before[0] == "@" and words in mine for before, words in pairwise(known))
    if len(mine) != 1 or mine[0][:2] != ["def", function] or decorated:
        return ""
    return hashlib.sha256(" ".join(mine[0]).encode()).hexdigest()[:10]


def main(path: Path) -> str:
    """One line a function."""
    source = path.read_bytes()
    names = [words[1] for words in statements(source) if words[0] == "def"]
    return "\n".join(f'    "{name}": "{fingerprint(source, name)}",' for name in names)


if __name__ == "__main__":
    sys.stdout.write(main(Path(sys.argv[1])) + "\n")
