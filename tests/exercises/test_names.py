"""Names of strangers: harmless in folders, spreadsheets, Markdown and terminals."""

from __future__ import annotations

import os

import pytest

from exercises.grading.names import cell, csv_cell, fenced, folder_name, markdown, plain

HOSTILE = [
    '=HYPERLINK("http://evil","click")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(1)",
    "-2+3",
    "＝1",
    "x;=1+1",
    "\x1b[31mred\x1b[0m",
    "a\nb",
    "a\u202egpj.exe",
    "../../etc/passwd",
    "..",
    ".",
    "/",
    "a\\b",
    "C:x",
    "con",
    "NUL.txt",
    "",
    " ",
    "x" * 5000,
    "\udcff",
    "|<script>alert(1)</script>[x](http://evil)`",
    "𝕏" * 100,
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_folder_name_is_one_part_of_a_path_on_any_system(name, tmp_path):
    safe = folder_name(name)
    folder = tmp_path / safe
    folder.mkdir()
    assert folder.parent == tmp_path
    assert os.listdir(tmp_path) == [safe]
    assert not set(safe) & set('/\\:*?"<>|\n\x1b')
    assert not safe.startswith((".", " "))
    assert not safe.endswith((".", " "))
    assert safe.lower() not in ("con", "nul.txt")
    assert len(safe.encode()) <= 210


@pytest.mark.parametrize("name", ["ada", "Ada Lovelace_12345", "José", "李", "o-b.c"])
def test_ordinary_names_stay_as_they_are(name):
    assert folder_name(name) == name
    assert plain(name) == name


def test_names_that_look_alike_when_sanitised_get_folders_of_their_own():
    assert folder_name("a/b") != folder_name("a\\b")
    assert folder_name("a_b") == "a_b"
    assert folder_name("a/b").startswith("a_b-")


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_plain_name_is_one_short_printable_line(name):
    assert plain(name).isprintable()
    assert 1 <= len(plain(name)) <= 82


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_cell_of_a_spreadsheet_begins_a_formula(name):
    for part in csv_cell(name).split(";"):
        assert not part.startswith(tuple("=+-@＝\t\r"))


def test_numbers_of_ours_stay_numbers_and_texts_that_look_so_do_not():
    assert csv_cell(2.5) == "2.5"
    assert csv_cell(17.0) == "17"
    assert csv_cell("-1") == "'-1"
    assert csv_cell("") == ""


def test_nothing_in_a_name_is_markup():
    shown = markdown("<b>|`[x](http://e)*_\n# www.evil.com")
    assert shown == r"&lt;b&gt;\|\`\[x\]\(http\://e\)\*\_ \# www\.evil.com"


def test_claims_of_ours_keep_their_signs_but_do_not_end_a_cell():
    assert cell("p(h | v)") == r"p(h \| v)"


def test_block_of_code_cannot_be_ended_from_inside():
    assert fenced("a\n````\n# out") == "`````text\na\n````\n# out\n`````"
