"""`course grade`: who is graded, what is kept, and what neither students nor faults can change."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from exercises import course as command
from exercises.common import ROOT, CourseError, MissingError, UsageError
from exercises.grading import batch, grade
from exercises.grading.batch import Result, Task
from exercises.grading.client import GraderFault
from exercises.grading.record import BEGUN, BY_FAULT, GRADED, NOT_CHARGED, REFUSED, Record
from exercises.grading.report import FAULT, NOT_RUN, RIGHT, Mark, UnitReport
from exercises.grading.sandbox import LEVELS
from tests.exercises.bank import entries
from tests.exercises.conftest import RIGHT_ANSWER

SQUARED = "def double(x):\n    return x**2\n\n\ndef half(x):\n    return x / 2\n"
#: so that these tests run wherever the course does
ANYWHERE = {"unit": "07", "confine": "process", "jobs": 1}


@pytest.fixture
def handed_in(tmp_path) -> Path:
    """Three submissions: all right, one error, and a zip that is none."""
    folder = tmp_path / "handed in"
    (folder / "ada").mkdir(parents=True)
    (folder / "ada" / "unit_07.py").write_text(RIGHT_ANSWER)
    (folder / "bob.py").write_text(SQUARED)
    (folder / "cem.zip").write_bytes(b"PK nonsense")
    return folder


@pytest.fixture
def out(tmp_path) -> Path:
    """Where the marks go."""
    return tmp_path / "marks"


@pytest.fixture
def graded(course, monkeypatch):
    """Names of those who are graded; everybody is right at once, without a run of pytest."""
    names = []

    def at_once(tasks, **options):
        for task in tasks:
            names.append(task.name)
            report = blank()
            report.seed, report.level, report.complete = task.seed, task.confine, True
            for mark in report.marks:
                mark.status, mark.points = RIGHT, mark.max_points
            yield Result(task.name, report.to_json(), "")

    monkeypatch.setattr(grade, "grade_file", lambda *words, **options: blank())
    monkeypatch.setattr(grade, "in_parallel", at_once)
    monkeypatch.setattr(grade, "check_level", lambda confine: None)
    return names


def blank() -> UnitReport:
    """What the small course's grader says before anything is run."""
    tests = ("double_of_two_numbers", "double_of_any_numbers", "half")
    marks = [Mark(f"test_{test}", test, test.split("_")[0], 1.0) for test in tests]
    return UnitReport("07", "Twice and half", marks=marks)


def record(out: Path, name: str) -> Record:
    """What was kept of a student."""
    found = Record.read(out / "students" / name)
    assert found is not None
    return found


def files(out: Path, name: str) -> set[str]:
    """The files of a student."""
    return {path.name for path in (out / "students" / name).iterdir()}


ALL = {"record.json", "results.json", "classroom50.json", "junit.xml", "page.md"}

# A whole batch


@pytest.mark.slow
def test_batch_grades_each_as_course_check_would(course, handed_in, out, capsys):
    (handed_in / "dan").mkdir()
    shutil.copy(course / "exercises" / "unit_07_mini" / "unit_07.py", handed_in / "dan")
    (handed_in / "eve.py").write_text(RIGHT_ANSWER + "import os\n\n\ndef half(x):\n    os._exit(0)")
    with zipfile.ZipFile(handed_in / "fay.zip", "w") as archive:
        archive.writestr("work/unit_07.py", RIGHT_ANSWER)
    options = ANYWHERE | {"jobs": 2}
    assert grade.run(handed_in, out=out, root=course, **options) == 0
    points = {name: record(out, name).report.points for name in ("ada", "bob", "dan", "eve", "fay")}
    assert points == {"ada": 4, "bob": 0, "dan": 0, "eve": 3, "fay": 4}
    assert record(out, "cem").outcome == REFUSED
    assert record(out, "cem").report.points == 0
    assert files(out, "ada") == ALL | {"unit_07.py"}
    assert files(out, "cem") == ALL
    assert (out / "students" / "bob" / "unit_07.py").read_text() == SQUARED
    assert {path.name for path in out.iterdir()} == {
        *("students", "summary.md", "summary.json", "marks.csv")
    }
    assert "6 submissions: 5 graded, 1 refused, 0 without a mark" in capsys.readouterr().out


def test_reference_of_a_real_unit_gets_all_points(tmp_path, out):
    reference = next(e for e in entries() if e.unit == "02" and e.about == "the reference")
    (tmp_path / "unit_02.py").write_text(reference.source)
    options = {"unit": "02", "confine": "process", "jobs": 1, "one": True}
    assert grade.run(tmp_path / "unit_02.py", out=out, **options) == 0
    found = json.loads((out / "students" / "unit_02" / "results.json").read_text())
    assert all(test["status"] == "passed" for test in found["tests"])
    assert sum(test["score"] for test in found["tests"]) == 18


# The seed


def test_seed_is_drawn_when_all_copies_are_made_and_is_recorded(
    course, handed_in, out, graded, monkeypatch
):
    def draw(bits):
        assert (out / "students" / "ada" / "unit_07.py").read_text() == RIGHT_ANSWER
        assert (out / "students" / "bob" / "unit_07.py").read_text() == SQUARED
        return 2**bits - 1

    monkeypatch.setattr(grade.secrets, "randbits", draw)
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    assert record(out, "ada").report.seed == 2**48 - 1


def test_seed_may_be_given(course, handed_in, out, graded):
    grade.run(handed_in, out=out, root=course, seed=7, **ANYWHERE)
    assert record(out, "bob").report.seed == 7


def test_what_is_graded_is_the_copy(course, handed_in, out, graded, monkeypatch):
    seen = {}

    def change_then_look(tasks, **options):
        (handed_in / "bob.py").write_text("# too late")
        seen.update({task.name: task.source for task in tasks})
        return iter(())

    monkeypatch.setattr(grade, "in_parallel", change_then_look)
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    assert seen["bob"] == SQUARED.encode()


def test_copy_that_was_changed_while_it_waited_is_not_graded(
    course, handed_in, out, graded, monkeypatch
):
    def change_then_grade(tasks, **options):
        (out / "students" / "bob" / "unit_07.py").write_text("# another")
        return (batch.grade_source(task) for task in tasks if task.name == "bob")

    monkeypatch.setattr(grade, "in_parallel", change_then_grade)
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    assert record(out, "bob").outcome == BY_FAULT
    assert "was changed" in record(out, "bob").message


# Going on


def test_finished_students_are_not_graded_again(course, handed_in, out, graded):
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    before = record(out, "ada")
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    assert graded == ["ada", "bob"]
    assert record(out, "ada") == before


def test_changed_file_is_graded_again_with_new_inputs(course, handed_in, out, graded):
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    first = record(out, "bob").report.seed
    (handed_in / "bob.py").write_text(SQUARED + "# better now\n")
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    assert graded == ["ada", "bob", "bob"]
    assert record(out, "bob").report.seed != first


def test_again_grades_all(course, handed_in, out, graded):
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    grade.run(handed_in, out=out, root=course, again=True, **ANYWHERE)
    assert graded == ["ada", "bob", "ada", "bob"]


def test_changed_grader_grades_all_again(course, handed_in, out, graded):
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    with open(course / "exercises" / "unit_07_mini" / "test_unit_07.py", "a") as file:
        file.write("\n# a comment\n")
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    assert graded == ["ada", "bob", "ada", "bob"]


def test_changed_engine_or_library_grades_all_again(course, handed_in, out, graded, monkeypatch):
    module = course / "rbm.py"
    module.write_text("x = 1\n")
    monkeypatch.setattr(grade, "judging_modules", lambda: [module])
    for text in ("x = 1\n", "x = 1\n", "x = 2\n"):
        module.write_text(text)
        grade.run(handed_in, out=out, root=course, **ANYWHERE)
    assert graded == ["ada", "bob", "ada", "bob"]


def test_engine_and_library_judge():
    held = {path.relative_to(ROOT).as_posix() for path in batch.judging_modules()}
    assert {"exercises/grading/drawing.py", "exercises/grading/student.py", "dbnlib/rbm.py"} <= held


def test_file_that_is_padded_so_that_it_cannot_be_compared_is_to_look_at(
    course, handed_in, out, graded
):
    (handed_in / "ada" / "unit_07.py").write_text("x = 1\n" * 10_000 + RIGHT_ANSWER)
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    listed = (out / "summary.md").read_text().partition("## To look at")[2].partition("\n## ")[0]
    assert "| ada | graded | Too long to be compared" in listed
    assert "bob" not in listed
    assert "Too long" not in (out / "students" / "ada" / "page.md").read_text()


def test_marks_from_a_lower_level_of_the_sandbox_do_not_count(course, handed_in, out, graded):
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    grade.run(handed_in, out=out, root=course, **ANYWHERE | {"confine": "landlock"})
    assert graded == ["ada", "bob", "ada", "bob"]
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    assert len(graded) == 4


@pytest.mark.parametrize("damage", ["", "[]", '{"report": {"marks": [1]}}'])
def test_damaged_record_is_no_record(course, handed_in, out, graded, damage):
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    (out / "students" / "ada" / "record.json").write_text(damage)
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    assert graded == ["ada", "bob", "ada"]


def test_refused_student_who_mends_the_file_is_graded_and_the_other_way_round(
    course, handed_in, out, graded
):
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    with zipfile.ZipFile(handed_in / "cem.zip", "w") as archive:
        archive.writestr("unit_07.py", RIGHT_ANSWER)
    (handed_in / "bob.py").write_bytes(b"#" * 2**21)
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    assert graded == ["ada", "bob", "cem"]
    assert record(out, "cem").outcome == GRADED
    assert record(out, "bob").outcome == REFUSED
    assert "unit_07.py" not in files(out, "bob")


def test_interrupted_batch_keeps_what_is_finished_and_goes_on(
    course, handed_in, out, graded, monkeypatch
):
    at_once = grade.in_parallel

    def interrupted(tasks, **options):
        yield next(at_once(tasks))
        assert record(out, "ada").outcome == GRADED
        assert record(out, "bob").outcome == BEGUN
        raise KeyboardInterrupt

    monkeypatch.setattr(grade, "in_parallel", interrupted)
    with pytest.raises(KeyboardInterrupt):
        grade.run(handed_in, out=out, root=course, **ANYWHERE)
    monkeypatch.setattr(grade, "in_parallel", at_once)
    assert grade.run(handed_in, out=out, root=course, **ANYWHERE) == 0
    assert graded == ["ada", "bob"]


def test_provisional_record_has_no_points_and_no_mark_of_an_earlier_file(
    course, handed_in, out, graded, monkeypatch
):
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    looked = []

    def look(tasks, **options):
        looked.append((record(out, "bob").outcome, record(out, "bob").report.points))
        looked.append(files(out, "bob") & {"results.json", "classroom50.json"})
        return iter(())

    monkeypatch.setattr(grade, "in_parallel", look)
    (handed_in / "bob.py").write_text("# worse")
    grade.run(handed_in, out=out, root=course, **ANYWHERE)
    assert looked == [(BEGUN, 0), set()]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="it is killed by a signal")
def test_killed_batch_leaves_nothing_running_and_goes_on(course, handed_in, out):
    (handed_in / "eve.py").write_text("import time\ntime.sleep(5)\n" + RIGHT_ANSWER)
    code = (
        "from pathlib import Path; from exercises.grading import grade\n"
        f"grade.run(Path({str(handed_in)!r}), unit='07', out=Path({str(out)!r}), jobs=2,"
        f" confine='process', root=Path({str(course)!r}))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, start_new_session=True)
    deadline = time.monotonic() + 60

    def outcomes():
        names = [name for name in ("ada", "bob", "eve") if Record.read(out / "students" / name)]
        return {name: record(out, name).outcome for name in names}

    while list(outcomes().values()).count(GRADED) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert outcomes() == {"ada": GRADED, "bob": GRADED, "eve": BEGUN}
    before = record(out, "ada")
    process.send_signal(signal.SIGKILL)
    process.wait()
    (handed_in / "eve.py").write_text(RIGHT_ANSWER)
    assert grade.run(handed_in, out=out, root=course, **ANYWHERE) == 0
    assert record(out, "ada") == before
    assert record(out, "eve").report.points == 4
    while members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert members(process.pid) == []


def members(session: int) -> list[str]:
    """The processes of a session that still run, where /proc says so."""
    found = []
    for name in filter(
        str.isdigit, os.listdir("/proc") if Path("/proc/self/stat").exists() else []
    ):
        try:
            fields = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(Path("/proc", name, "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


# Faults of the grader


@pytest.mark.slow
def test_fault_in_a_test_is_never_charged(course, handed_in, out, capsys):
    (handed_in / "bob.py").unlink()
    grader = course / "exercises" / "unit_07_mini" / "test_unit_07.py"
    right = grader.read_text()
    grader.write_text(right.replace("X**2 + 0 * X", "1 / 0"))
    assert grade.run(handed_in, out=out, root=course, **ANYWHERE) == 1
    assert record(out, "ada").outcome == BY_FAULT
    assert record(out, "ada").report.marks[0].status == FAULT
    assert "ZeroDivisionError" in record(out, "ada").message
    assert files(out, "ada") == {"record.json", "junit.xml", "page.md", "unit_07.py"}
    assert NOT_CHARGED in (out / "students" / "ada" / "page.md").read_text()
    summary = json.loads((out / "summary.json").read_text())
    assert summary["students"][0]["points"] is None
    assert summary["points"]["mean"] == 0  # of the refused one alone
    assert "Run the same command again" in capsys.readouterr().out
    grader.write_text(right)
    assert grade.run(handed_in, out=out, root=course, **ANYWHERE) == 0
    assert record(out, "ada").report.points == 4


def test_those_without_a_mark_are_graded_by_the_next_run(
    course, handed_in, out, graded, monkeypatch, capsys
):
    at_once = grade.in_parallel

    def break_off(tasks, **options):
        yield next(at_once(tasks))
        raise RuntimeError("a worker was killed")

    monkeypatch.setattr(grade, "in_parallel", break_off)
    assert grade.run(handed_in, out=out, root=course, **ANYWHERE) == 1
    assert "a worker was killed" in capsys.readouterr().err
    outcomes = json.loads((out / "summary.json").read_text())["outcomes"]
    assert outcomes == {GRADED: 1, BY_FAULT: 1, REFUSED: 1}
    monkeypatch.setattr(grade, "in_parallel", at_once)
    assert grade.run(handed_in, out=out, root=course, **ANYWHERE) == 0
    assert graded == ["ada", "bob"]


@pytest.mark.parametrize("how", ["raises", "not run"])
def test_grader_that_fails_is_tried_twice_and_its_failure_comes_back(course, monkeypatch, how):
    tried = []

    def fail(unit, file, **options):
        tried.append(file.read_bytes())
        if how == "raises":
            raise CourseError("no disk")
        return UnitReport("07", marks=[])

    monkeypatch.setattr(batch, "grade_file", fail)
    name, report, fault = batch.grade_source(Task("ada", "07", b"x", 0, "process", course))
    assert tried == [b"x", b"x"]
    assert name == "ada"
    assert fault == ("CourseError: no disk" if how == "raises" else "")
    assert (report is None) == (how == "raises")


def test_fault_that_passes_is_forgotten(course, monkeypatch):
    answers = iter([CourseError("busy"), None])
    real = batch.grade_file

    def once(*words, **options):
        error = next(answers)
        if error:
            raise error
        return real(*words, **options)

    monkeypatch.setattr(batch, "grade_file", once)
    source = RIGHT_ANSWER.encode()
    result = batch.grade_source(Task("ada", "07", source, 0, "process", course))
    assert UnitReport.from_json(result.report).points == 4


def test_report_without_an_end_is_a_fault():
    kept = Record("ada", "ada", "", "", BEGUN, UnitReport("07"))
    kept.accept(UnitReport("07", marks=[]))
    assert kept.outcome == BY_FAULT
    assert kept.message == "the grader did not come to its end"


def test_dead_grader_leaves_a_fault_and_no_points(course, handed_in, out):
    grader = course / "exercises" / "unit_07_mini" / "test_unit_07.py"
    died = "import os\n    os._exit(0)\n    half = "
    grader.write_text(grader.read_text().replace("half = ", died))
    assert grade.run(handed_in / "bob.py", out=out, root=course, one=True, **ANYWHERE) == 1
    assert {mark.status for mark in record(out, "bob").report.marks} == {NOT_RUN}
    assert record(out, "bob").outcome == BY_FAULT


# Confinement


def test_level_that_is_not_reached_is_refused_before_anything_is_run(
    course, handed_in, out, monkeypatch
):
    def too_low(level):
        raise GraderFault("the worker is confined to the level 'process'")

    monkeypatch.setattr(grade, "Worker", too_low)
    with pytest.raises(CourseError, match=r"--confine process or limits or no-privilege"):
        grade.run(handed_in, out=out, root=course, unit="07")
    assert not out.exists()


def test_less_may_be_allowed_by_name(course, handed_in, out, graded, monkeypatch):
    asked = []
    monkeypatch.setattr(grade, "check_level", asked.append)
    grade.run(handed_in, out=out, root=course, unit="07", confine="limits")
    assert asked == ["limits"]
    assert record(out, "ada").report.level == "limits"


def test_command_knows_the_levels():
    assert list(command.CONFINEMENTS) == list(LEVELS)


# Clusters


def test_missing_dask_is_said_clearly(course, handed_in, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingError, match=r"install `dask\[distributed\]`"):
        grade.run(handed_in, out=out, root=course, unit="07", backend="dask", scheduler="tcp://x:1")


@pytest.mark.parametrize(
    ("backend", "scheduler", "said"),
    [("dask", None, "--scheduler tcp://"), ("loky", "tcp://x:1", "--backend dask")],
)
def test_backend_and_scheduler_go_together(course, handed_in, out, backend, scheduler, said):
    with pytest.raises(UsageError, match=said):
        grade.run(handed_in, out=out, root=course, unit="07", backend=backend, scheduler=scheduler)


def test_dask_cluster_of_two_workers_comes_to_the_same(course, handed_in, out):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        options = ANYWHERE | {"backend": "dask", "scheduler": cluster.scheduler_address}
        assert grade.run(handed_in, out=out, root=course, **options) == 0
    assert record(out, "ada").report.points == 4
    assert record(out, "bob").report.points == 0


# Wrong use


@pytest.mark.parametrize("where", ["handed in", "handed in/marks", "."])
def test_marks_and_submissions_must_not_lie_in_one_another(course, handed_in, where):
    with pytest.raises(UsageError, match="must not lie in one another"):
        grade.run(handed_in, out=handed_in.parent / where, root=course, **ANYWHERE)


def test_command_hands_on_its_words(monkeypatch):
    called = []
    monkeypatch.setattr(grade, "run", lambda path, **options: called.append((path, options)) or 0)
    assert command.main(["grade", "in", "--unit", "02", "--out", "marks"]) == 0
    words = ["--one", "--again", "--seed", "7", "--jobs", "3", "--confine", "limits"]
    words += ["--backend", "dask", "--scheduler", "tcp://x:1"]
    assert command.main(["grade", "in", "--unit", "02", "--out", "marks", *words]) == 0
    plain = {
        **{"unit": "02", "out": Path("marks"), "jobs": 0, "backend": "loky", "scheduler": None},
        **{"seed": None, "confine": "landlock", "again": False, "one": False, "identity": None},
    }
    given = {
        **{"jobs": 3, "backend": "dask", "scheduler": "tcp://x:1", "seed": 7},
        **{"confine": "limits", "again": True, "one": True, "identity": os.environ},
    }
    assert called == [(Path("in"), plain), (Path("in"), plain | given)]
