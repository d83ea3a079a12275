"""A learner's copy is kept up to date, and nothing of a learner's is ever lost."""

from __future__ import annotations

import json

import pytest

from exercises import workspace
from exercises.common import CourseError, MissingError, UsageError
from exercises.workspace import Print, update, verdict
from tests.course.conftest import notebook, printed, write

ENERGY = "notebooks/01_energy.ipynb"


@pytest.fixture
def mine(root):
    """The learner's copy, made once."""
    update(root)
    return root / "my-course"


def contents(folder) -> dict[str, str]:
    """The files in a folder, but for the record."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".copied.json"
    }


# The first copy


def test_first_copy_holds_notebooks_and_units_and_nothing_else(mine):
    assert list(contents(mine)) == [
        "exercises/unit_01_energy/energy.py",
        "notebooks/00_start_here.ipynb",
        "notebooks/01_energy.ipynb",
    ]


def test_first_copy_says_so_in_one_line(root):
    assert str(update(root)) == "Made your own copy of the course in my-course/ (3 files)."


def test_second_time_nothing_happens(root, mine):
    before = contents(mine)
    assert str(update(root)) == ""
    assert contents(mine) == before


def test_course_without_notebooks_is_no_course(tmp_path):
    with pytest.raises(MissingError, match="no notebooks"):
        update(tmp_path)
    assert not (tmp_path / "my-course").exists()


def test_read_only_course_gives_a_writable_copy(root):
    (root / ENERGY).chmod(0o444)
    update(root)
    assert (root / "my-course" / ENERGY).stat().st_mode & 0o200


# The course has changed


def test_new_file_is_added(root, mine):
    write(root / "notebooks/02_boltzmann.ipynb", notebook("2"))
    assert update(root).added == ["notebooks/02_boltzmann.ipynb"]
    assert (mine / "notebooks/02_boltzmann.ipynb").read_text() == notebook("2")


def test_untouched_file_is_updated(root, mine):
    write(root / ENERGY, notebook("energy = 2"))
    assert update(root).updated == [ENERGY]
    assert (mine / ENERGY).read_text() == notebook("energy = 2")


def test_untouched_file_is_updated_again_and_again(root, mine):
    for n in range(2, 5):
        write(root / ENERGY, notebook(f"energy = {n}"))
        update(root)
        assert (mine / ENERGY).read_text() == notebook(f"energy = {n}")


def test_untouched_file_gets_new_outputs_too(root, mine):
    again = notebook("energy = 1", outputs=printed("1\n"), count=1)
    write(root / ENERGY, again)
    update(root)
    assert (mine / ENERGY).read_text() == again


def test_edited_file_is_left_alone(root, mine):
    write(mine / ENERGY, notebook("my energy"))
    assert str(update(root)) == ""
    assert (mine / ENERGY).read_text() == notebook("my energy")


def test_notebook_that_was_only_run_is_updated(root, mine):
    write(mine / ENERGY, notebook("energy = 1", outputs=printed("1\n"), count=5))
    write(root / ENERGY, notebook("energy = 2"))
    assert update(root).updated == [ENERGY]


def test_outputs_of_a_learner_stay_when_the_course_was_only_run(root, mine):
    run = notebook("energy = 1", outputs=printed("my run\n"), count=5)
    write(mine / ENERGY, run)
    write(root / ENERGY, notebook("energy = 1", outputs=printed("1\n"), count=1))
    update(root)
    assert (mine / ENERGY).read_text() == run


def test_both_changed_learners_stays_and_new_is_beside_it(root, mine):
    write(mine / ENERGY, notebook("my energy"))
    write(root / ENERGY, notebook("energy = 2"))
    changes = update(root)
    assert (mine / ENERGY).read_text() == notebook("my energy")
    assert (mine / "notebooks/01_energy.new.ipynb").read_text() == notebook("energy = 2")
    assert "yours stays, the course's is notebooks/01_energy.new.ipynb" in str(changes)


def test_both_changed_is_said_once(root, mine):
    write(mine / ENERGY, notebook("my energy"))
    write(root / ENERGY, notebook("energy = 2"))
    update(root)
    assert str(update(root)) == ""


def test_second_conflict_spares_the_first_new_file(root, mine):
    write(mine / ENERGY, notebook("my energy"))
    write(root / ENERGY, notebook("energy = 2"))
    update(root)
    write(mine / "notebooks/01_energy.new.ipynb", notebook("I work here now"))
    write(root / ENERGY, notebook("energy = 3"))
    update(root)
    found = contents(mine)
    assert found["notebooks/01_energy.new.ipynb"] == notebook("I work here now")
    assert found["notebooks/01_energy.new-2.ipynb"] == notebook("energy = 3")


def test_module_of_an_exercise_is_kept_too(root, mine):
    name = "exercises/unit_01_energy/energy.py"
    write(mine / name, "def energy(v):\n    return 0\n")
    write(root / name, "def energy(v, h):\n    ...\n")
    update(root)
    assert (mine / name).read_text() == "def energy(v):\n    return 0\n"
    assert (mine / "exercises/unit_01_energy/energy.new.py").is_file()


def test_file_that_left_the_course_stays_with_the_learner(root, mine):
    (root / ENERGY).unlink()
    update(root)
    assert (mine / ENERGY).is_file()


def test_deleted_file_comes_back(root, mine):
    (mine / ENERGY).unlink()
    assert update(root).added == [ENERGY]


def test_learners_own_files_stay(root, mine):
    write(mine / "notebooks/notes.ipynb", "mine")
    update(root)
    assert (mine / "notebooks/notes.ipynb").read_text() == "mine"


def test_notebook_that_is_no_longer_one_is_still_the_learners(root, mine):
    write(mine / ENERGY, "{ half a notebook")
    write(root / ENERGY, notebook("energy = 2"))
    update(root)
    assert (mine / ENERGY).read_text() == "{ half a notebook"


def test_file_in_the_place_of_a_folder_is_an_error_that_says_so(root):
    write(root / "my-course/notebooks", "not a folder")
    with pytest.raises((CourseError, OSError), match="notebooks"):
        update(root)


E_OLD, E_NEW, RUN_OLD, RUN_NEW = (
    Print("whole 1", "text 1"),
    Print("whole 2", "text 2"),
    Print("whole 3", "text 1"),
    Print("whole 4", "text 2"),
)
ELSE = Print("whole 5", "text 5")


@pytest.mark.parametrize(
    ("learner", "now", "wanted"),
    [
        (E_OLD, E_OLD, "keep"),
        (E_OLD, E_NEW, "update"),
        (E_OLD, RUN_OLD, "update"),
        (RUN_OLD, E_OLD, "keep"),
        (RUN_OLD, Print("whole 6", "text 1"), "keep"),
        (RUN_OLD, E_NEW, "update"),
        (ELSE, E_OLD, "keep"),
        (ELSE, RUN_OLD, "keep"),
        (E_NEW, E_NEW, "keep"),
        (RUN_NEW, E_NEW, "keep"),
        (ELSE, E_NEW, "beside"),
    ],
)
def test_verdict_on_every_kind_of_change(learner, now, wanted):
    assert verdict(now, E_OLD, learner) == wanted


# The record is damaged or gone

DAMAGED = [
    None,
    "",
    "{",
    "[]",
    "3",
    '{"notebooks/01_energy.ipynb": 3}',
    '{"notebooks/01_energy.ipynb": {}}',
    '{"notebooks/01_energy.ipynb": {"whole": 1, "text": []}}',
]


def damage(mine, record):
    if record is None:
        (mine / ".copied.json").unlink()
    else:
        write(mine / ".copied.json", record)


@pytest.mark.parametrize("record", DAMAGED)
def test_without_a_record_an_edited_file_is_never_overwritten(root, mine, record):
    write(mine / ENERGY, notebook("my energy"))
    damage(mine, record)
    update(root)
    assert (mine / ENERGY).read_text() == notebook("my energy")
    assert (mine / "notebooks/01_energy.new.ipynb").read_text() == notebook("energy = 1")


@pytest.mark.parametrize("record", DAMAGED)
def test_without_a_record_equal_files_are_known_again(root, mine, record):
    damage(mine, record)
    assert str(update(root)) == ""
    assert json.loads((mine / ".copied.json").read_text()).keys() == contents(mine).keys()


def test_record_that_is_no_text_is_damaged_too(root, mine):
    (mine / ".copied.json").write_bytes(b"\xff\xfe\x00")
    assert str(update(root)) == ""


# One file is put back


@pytest.mark.parametrize(
    "name",
    ["01", "01_energy", "01_energy.ipynb", ENERGY, f"my-course/{ENERGY}", "notebooks\\01_energy"],
)
def test_reset_puts_the_course_version_back_and_keeps_the_learners(root, mine, name):
    write(mine / ENERGY, notebook("my energy"))
    if "\\" in name:
        name += ".ipynb"
    sentence = workspace.reset(name, root)
    assert (mine / ENERGY).read_text() == notebook("energy = 1")
    assert (mine / "notebooks/01_energy.mine-1.ipynb").read_text() == notebook("my energy")
    assert "01_energy.mine-1.ipynb" in sentence


def test_every_reset_keeps_another_file(root, mine):
    for n in range(1, 4):
        write(mine / ENERGY, notebook(f"attempt {n}"))
        workspace.reset("01", root)
    kept = [(mine / f"notebooks/01_energy.mine-{n}.ipynb").read_text() for n in range(1, 4)]
    assert kept == [notebook(f"attempt {n}") for n in range(1, 4)]


def test_reset_of_an_unchanged_file_does_nothing(root, mine):
    before = contents(mine)
    assert "already" in workspace.reset("01", root)
    assert contents(mine) == before


def test_reset_brings_a_deleted_file_back(root, mine):
    (mine / ENERGY).unlink()
    workspace.reset("01", root)
    assert (mine / ENERGY).is_file()


def test_after_a_reset_the_file_counts_as_untouched(root, mine):
    write(mine / ENERGY, notebook("my energy"))
    write(root / ENERGY, notebook("energy = 2"))
    workspace.reset("01", root)
    write(root / ENERGY, notebook("energy = 3"))
    assert update(root).updated == [ENERGY]


def test_reset_of_an_unknown_name_suggests_one(root, mine):
    with pytest.raises(UsageError, match=r"did you mean notebooks/01_energy\.ipynb"):
        workspace.reset("01_enrgy", root)


@pytest.mark.parametrize("name", ["", "0"])
def test_reset_of_a_name_that_means_no_one_file_is_refused(root, mine, name):
    before = contents(mine)
    with pytest.raises(UsageError):
        workspace.reset(name, root)
    assert contents(mine) == before
