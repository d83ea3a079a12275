"""The command line: helps, exit codes, and what each sub-command calls."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest

from exercises import course, lab, testing, workspace
from exercises.common import ROOT, CourseError, MissingError, UsageError


@pytest.fixture
def called(monkeypatch):
    """What the parts of the command were called with; they do nothing."""
    calls = {}

    def record(name, result=0):
        def fake(*arguments, **options):
            calls[name] = (*arguments, options)
            return result

        return fake

    monkeypatch.setattr(lab, "run", record("lab"))
    monkeypatch.setattr(testing, "run", record("test"))
    monkeypatch.setattr(workspace, "reset", record("reset", "done"))
    demo = types.ModuleType("exercises.demo")
    demo.run = record("demo", None)
    monkeypatch.setitem(sys.modules, "exercises.demo", demo)
    return calls


# Help


@pytest.mark.parametrize("word", course.COMMANDS)
def test_help_of_each_command_has_examples_and_exit_codes(word, capsys):
    assert course.main([word, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"examples:\n  course {word}" in shown
    assert "exit codes:" in shown


def test_help_names_every_command(capsys):
    assert course.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"    {word} " in shown for word in course.COMMANDS)
    assert "exit codes:" in shown


def test_no_words_show_the_help_as_wrong_use(capsys):
    assert course.main([]) == 2
    assert "examples:" in capsys.readouterr().err


def test_help_loads_nothing_heavy():
    look = "import sys; from exercises import course; course.main(['--help']); "
    look += "print('heavy:', sorted({'numpy', 'pytest', 'jupyterlab'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "heavy: []"


# Wrong use


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tset"], "did you mean 'test'?"),
        (["xyzzy"], "there are lab, check, grade, release, test"),
        (["--loud"], "course --help"),
        (["lab", "--prot", "80"], "course"),
        (["lab", "--port", "many"], "from 1"),
        (["lab", "--port", "70000"], "65535"),
        (["lab", "01"], "01"),
        (["test", "--quick", "--notebooks"], "not allowed with"),
        (["test", "--workers", "-1"], "from 0"),
        (["grade", "here"], "--unit, --out"),
        (["grade", "here", "--unit", "02", "--out", "x", "--confine", "a-bit"], "landlock"),
        (["release", "--unit", "02"], "--out"),
        (["demo", "--epochs", "0"], "from 1"),
        (["demo", "--seed", "1.5"], "from 0"),
    ],
    ids=" ".join,
)
def test_wrong_words_end_in_two_with_a_hint(called, words, said, capsys):
    assert course.main(words) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "--help" in shown
    assert called == {}


# What is called


def test_lab_takes_any_free_port_and_a_browser_by_default(called):
    assert course.main(["lab"]) == 0
    wanted = {"host": "127.0.0.1", "port": None, "browser": True, "verbose": False}
    assert called == {"lab": (wanted,)}


def test_lab_hands_on_its_options(called):
    course.main(["lab", "--port", "9000", "--no-browser", "--host", "0.0.0.0", "--verbose"])
    wanted = {"host": "0.0.0.0", "port": 9000, "browser": False, "verbose": True}
    assert called == {"lab": (wanted,)}


def test_lab_reset_starts_no_server(called, capsys):
    assert course.main(["lab", "--reset", "01"]) == 0
    assert called == {"reset": ("01", {})}
    assert capsys.readouterr().out == "done\n"


def test_what_follows_two_dashes_goes_to_pytest(called):
    course.main(["test", "-k", "rbm", "--workers", "0", "--", "-x", "--", "--lf"])
    (options,) = called["test"]
    assert options["extra"] == ["-x", "--", "--lf"]
    assert (options["keyword"], options["workers"]) == ("rbm", 0)


@pytest.mark.parametrize("part", ["quick", "library", "notebooks"])
def test_parts_of_the_tests_are_chosen_one_at_a_time(called, part):
    course.main(["test", f"--{part}"])
    (options,) = called["test"]
    assert [name for name in ("quick", "library", "notebooks") if options[name]] == [part]


def test_demo_has_a_folder_and_a_seed_by_default(called):
    assert course.main(["demo"]) == 0
    assert called == {"demo": (Path("course-demo"), {"seed": 0, "epochs": None})}


def test_demo_hands_on_its_options(called):
    course.main(["demo", "--out", "here", "--seed", "3", "--epochs", "2"])
    assert called == {"demo": (Path("here"), {"seed": 3, "epochs": 2})}


# Exit codes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CourseError("the reason"), 1),
        (OSError("the reason"), 1),
        (UsageError("the reason"), 2),
        (MissingError("the reason"), 3),
        (ModuleNotFoundError("No module named 'reason'", name="the reason"), 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_failure_gives_its_code_and_its_reason_and_no_traceback(monkeypatch, error, code, capsys):
    def fail(**_):
        raise error

    monkeypatch.setattr(testing, "run", fail)
    assert course.main(["test"]) == code
    shown = capsys.readouterr().err
    assert shown.startswith("course test: ")
    assert "the reason" in shown


def test_ctrl_c_gives_130(monkeypatch, capsys):
    def interrupt(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(testing, "run", interrupt)
    assert course.main(["test"]) == 130


def test_code_of_the_tests_is_the_code_of_the_command(monkeypatch):
    monkeypatch.setattr(testing, "run", lambda **_: 1)
    assert course.main(["test"]) == 1


def test_command_is_the_installed_script():
    script = Path(sys.executable).parent / "course"
    done = subprocess.run([script, "nonsense"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "there is no command 'nonsense'" in done.stderr
