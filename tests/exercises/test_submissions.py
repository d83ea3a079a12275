"""What was handed in: whose it is, and which file counts."""

from __future__ import annotations

import os
import zipfile

import pytest

from exercises.common import UsageError
from exercises.grading import submissions
from exercises.grading.archives import Refused
from exercises.grading.names import mark
from exercises.grading.submissions import find_entries, read_submission

STUB, MINE, OTHER = b"# the stub\n", b"# mine\n", b"# other\n"
POSIX = pytest.mark.skipif(os.name != "posix", reason="such files are on POSIX systems only")


@pytest.fixture
def hand_in(tmp_path):
    """A function that writes a student's files and returns the folder."""

    def write(**files):
        for name, contents in files.items():
            path = tmp_path / "ada" / name.replace("__", "/").replace("_py", ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents)
        (tmp_path / "ada").mkdir(exist_ok=True)
        return tmp_path / "ada"

    return write


def read(path):
    """What counts in a submission to unit 07."""
    return read_submission(path, "unit_07.py", STUB)


# Whose


def test_each_folder_file_and_zip_is_a_student(tmp_path):
    (tmp_path / "ada").mkdir()
    (tmp_path / "bob.py").touch()
    (tmp_path / "cem.zip").touch()
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "__MACOSX").mkdir()
    assert [entry.student for entry in find_entries(tmp_path)] == ["ada", "bob", "cem"]


def test_students_of_one_name_are_kept_apart(tmp_path):
    for name in ("ada.py", "ada.zip", "Bob.py", "bob.py"):
        (tmp_path / name).touch()
    entries = find_entries(tmp_path)
    assert {entry.student for entry in entries} == {"ada.py", "ada.zip", "Bob", "bob"}
    assert len({entry.folder.casefold() for entry in entries}) == 4


def test_name_that_is_the_folder_of_another_student_is_kept_apart_too(tmp_path):
    for name in ("Ada.py", "ada.py", f"ada-{mark('ada.py')}.py"):
        (tmp_path / name).touch()
    assert len({entry.folder.casefold() for entry in find_entries(tmp_path)}) == 3


@POSIX
def test_name_that_prints_as_another_student_does_is_kept_apart_too(tmp_path):
    first, second = "a\U000e0001", "a\U000e0002"  # which cannot be printed
    for name in (first, second, f"a\N{REPLACEMENT CHARACTER} ({mark(second)})"):
        (tmp_path / name).mkdir()
    assert len({entry.student for entry in find_entries(tmp_path)}) == 3


@POSIX
def test_names_that_print_alike_are_kept_apart(tmp_path):
    for name in (b"a\x01", b"a\x02", b"\xff"):
        os.mkdir(os.path.join(os.fsencode(tmp_path), name))
    entries = find_entries(tmp_path)
    assert len({entry.student for entry in entries}) == 3
    assert len({entry.folder for entry in entries}) == 3
    assert all(entry.student.isprintable() for entry in entries)


@pytest.mark.parametrize("what", ["missing", "empty"])
def test_nothing_to_grade_is_wrong_use(tmp_path, what):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="submissions"):
        find_entries(tmp_path / what)


def test_one_submission_is_one_student(tmp_path):
    (tmp_path / "ada.zip").touch()
    (entry,) = find_entries(tmp_path / "ada.zip", one=True)
    assert (entry.student, entry.folder) == ("ada", "ada")
    with pytest.raises(UsageError, match="no submission"):
        find_entries(tmp_path / "bob", one=True)


# Which file


def test_single_file_may_have_any_name(tmp_path):
    (tmp_path / "lovelace_123_unit_07-1.py").write_bytes(MINE)
    assert read(tmp_path / "lovelace_123_unit_07-1.py").source == MINE


def test_named_file_is_found_at_any_depth(hand_in):
    assert read(hand_in(notes_txt=b"", a__b__unit_07_py=MINE, helper_py=OTHER)).source == MINE


def test_stub_in_a_whole_copy_of_the_course_does_not_count(hand_in):
    found = read(hand_in(exercises__unit_07_py=STUB, mine__exercises__unit_07_py=MINE))
    assert found.source == MINE


def test_stub_alone_counts(hand_in):
    assert read(hand_in(a__unit_07_py=STUB, b__unit_07_py=STUB)).source == STUB


def test_only_python_file_is_taken_with_a_note(hand_in):
    found = read(hand_in(solution_py=MINE))
    assert (found.source, found.note) == (MINE, "solution.py was taken for unit_07.py")


def test_zip_is_looked_into_alone_and_in_a_folder(hand_in, tmp_path):
    folder = hand_in()
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.writestr("__MACOSX/unit_07.py", OTHER)
        archive.writestr("work/unit_07.py", MINE)
    assert read(folder).source == MINE
    assert read(folder / "x.zip").source == MINE


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no file unit_07.py, and no other"),
        ({"readme_md": b""}, "no file unit_07.py, and no other"),
        ({"a_py": MINE, "b_py": OTHER}, "several other Python files"),
        ({"a__unit_07_py": MINE, "b__unit_07_py": OTHER}, "several files unit_07.py: a/"),
        ({"unit_07_py": b"#" * (2**20 + 1)}, "larger than 1024 kB"),
    ],
)
def test_submission_without_one_file_is_refused(hand_in, files, said):
    with pytest.raises(Refused, match=said):
        read(hand_in(**files))


def test_other_kinds_of_files_are_refused(tmp_path):
    (tmp_path / "ada.docx").write_bytes(b"")
    with pytest.raises(Refused, match="neither a Python file nor a zip"):
        read(tmp_path / "ada.docx")


def test_too_many_files_are_refused(hand_in, monkeypatch):
    monkeypatch.setattr(submissions, "MAX_FILES", 3)
    with pytest.raises(Refused, match="too many files"):
        read(hand_in(a=b"", b=b"", c=b"", unit_07_py=MINE))


@POSIX
@pytest.mark.parametrize("target", ["/dev/zero", "/etc/passwd", "nowhere", "."])
def test_links_are_never_followed(hand_in, tmp_path, target):
    folder = hand_in()
    (folder / "unit_07.py").symlink_to(target)
    with pytest.raises(Refused, match="is a link"):
        read(folder)
    (tmp_path / "bob.py").symlink_to(target)
    with pytest.raises(Refused, match="a link"):
        read(tmp_path / "bob.py")


@POSIX
@pytest.mark.parametrize("target", ["x" * 300, "bob.py"], ids=["too long a name", "itself"])
def test_link_to_what_cannot_be_looked_at_is_a_students_submission(tmp_path, target):
    (tmp_path / "ada.py").write_bytes(MINE)
    (tmp_path / "bob.py").symlink_to(target)
    ada, bob = find_entries(tmp_path)
    assert (ada.student, bob.student) == ("ada", "bob")
    with pytest.raises(Refused, match="is a link"):
        read(bob.path)


@POSIX
def test_pipe_does_not_stop_the_batch(hand_in):
    folder = hand_in()
    os.mkfifo(folder / "unit_07.py")
    with pytest.raises(Refused, match="no ordinary file"):
        read(folder)
