"""Names and other words of a stranger, made harmless for where they are written.

A student's name is the name of a folder or a file, and may hold anything: escape codes, formulas of
a spreadsheet, markup, separators of paths, bytes that are no text.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata

from exercises.grading.wording import clean

#: signs with which a spreadsheet begins a formula, in their wide forms too
FORMULA = tuple("=+-@＝＋－＠")
#: names that Windows keeps for itself
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
MAX_NAME = 80


def plain(text: object, limit: int = MAX_NAME) -> str:
    """One line without control characters, escape codes and signs that turn the text round."""
    return " ".join(clean(text, limit).split()) or "(no name)"


def folder_name(name: str) -> str:
    """A name for a folder on any system; another one for each `name`, except for upper case.

    Letters, digits, spaces and . _ - stay. If anything else was there, six hexadecimal digits
    that depend on all of the name are put behind.
    """
    kept = "".join(c if c.isalnum() or c in " ._-" else "_" for c in plain(name))
    kept = unicodedata.normalize("NFC", kept).strip(" .")[:MAX_NAME].strip(" .")
    kept = "".join(c for c in kept if len(c.encode()) <= 4).encode()[:200].decode(errors="ignore")
    if kept == name and not RESERVED.fullmatch(kept):
        return kept
    return f"{kept or 'student'}-{mark(name)}"


def mark(name: str) -> str:
    """Six hexadecimal digits that depend on all of a name."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:6]


def csv_cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula: what looks like one gets a quote before it.

    A number of ours stays a number; the text of one, such as "-1", does not. A semicolon becomes
    a comma: in many countries a spreadsheet begins a new cell behind it.
    """
    if isinstance(value, (int, float)):
        return f"{value:g}"
    text = plain(value, 300).replace(";", ",") if value != "" else ""
    return f"'{text}" if text.startswith(FORMULA) else text


def markdown(text: object, limit: int = 300) -> str:
    """Text within a line or a table's cell of Markdown, none of it markup, nor HTML, nor a link."""
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|~$:@]|(?<=www)\.)", r"\\\1", plain(text, limit))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cell(text: str) -> str:
    """Words of the course's own within a cell of Markdown."""
    return text.replace("|", "\\|")


def fenced(text: str) -> str:
    """Text as a block of code in Markdown, which nothing in it can end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"
