"""What holds for every file: style, the floors of the library, no address of a single machine."""

from __future__ import annotations

import ast
import fnmatch
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: The house, from the ground up: a module imports only what stands before it, here and in its row.
FLOORS = {
    "1": "checks progress storage scaling uniforms inplace units groups schedules",
    "2": "rbm boltzmann",
    "3": "labels exact sampling spins normalisable exact_sampling log_z annealed",
    "4": "loop gradients tempering",
    "5": "monitors training boltzmann_training layers losses finite_differences optimisers",
    "6": "dbn pretraining updown network backpropagation network_training finetuning",
    "7": "bound likelihood completion sample_quality",
    "8": "estimator_base transformers predictor_base predictors autoencoder estimators",
    # Beside the house: they may look at all floors, and none of these looks at them.
    "side": "idx patterns damage data plots widgets",
}
ORDER = [module for row in FLOORS.values() for module in row.split()]
MODULES = sorted(path.stem for path in (ROOT / "dbnlib").glob("*.py") if path.stem != "__init__")

#: what no file may hold. The patterns are in pieces so that this file does not hold them either.
FORBIDDEN = {
    "host of a package registry": "|".join(
        rf"\b{name}\.{end}\b"
        for name, end in (
            ("py" + "pi", "org"),
            ("python" + "hosted", "org"),
            ("ana" + "conda", "org"),
            ("npm" + "js", "org"),
            ("crates", "io"),
            ("proxy.go" + "lang", "org"),
        )
    ),
    "path of one machine": r"(?<![\w.~/-])/(?:" + "|".join(("ro" + "ot", "wo" + "rk")) + r")/\w"
    r"|(?<![\w.~/-])/(?:ho" + r"me|Us" + r"ers)/\w|\b[A-Z]:\\+Us" + r"ers\\",
    "folder of one run": r"/tmp/" + r"ipykernel_\d",
}


def imports(path: Path) -> set[str]:
    """The modules of dbnlib that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, ["dbnlib" * bool(node.level), node.module]))
            if base == "dbnlib":  # from dbnlib import rbm
                found |= {f"dbnlib.{alias.name}" for alias in node.names}
            else:  # from dbnlib.rbm import RBM
                found.add(base)
    return {name.split(".")[1] for name in found if name.startswith("dbnlib.")}


def too_high(module: str, imported: set[str]) -> set[str]:
    """Those of the imported modules that do not stand below `module`."""
    return imported - set(ORDER[: ORDER.index(module)])


def files() -> Iterator[Path]:
    """All files of the project: what .gitignore leaves out is none."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split("\n")
    ignored = [line.rstrip("/") for line in lines if line and not line.startswith("#")] + [".git"]
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if not matches(name, ignored)]
        yield from (Path(folder, name) for name in names if not matches(name, ignored))


def matches(name: str, patterns: list[str]) -> bool:
    """Whether a file or folder name is among the patterns."""
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def offences(pattern: str) -> list[str]:
    """The lines of the project's texts in which a pattern is found."""
    found = []
    for path in files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:  # no text
            continue
        name = path.relative_to(ROOT).as_posix()
        found += [f"{name}:{n}" for n, line in enumerate(lines, 1) if re.search(pattern, line)]
    return found


@pytest.mark.parametrize("words", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_finds_nothing(words):
    ruff = [sys.executable, "-m", "ruff", *words, "--no-cache", "."]
    done = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_from_below(module):
    assert module in ORDER, f"give {module} its place in FLOORS"
    assert too_high(module, imports(ROOT / "dbnlib" / f"{module}.py")) == set()


@pytest.mark.parametrize("module", MODULES)
def test_library_does_not_know_the_exercises(module):
    assert not re.search(
        r"^\s*(from|import) (exercises|tests)\b",
        (ROOT / "dbnlib" / f"{module}.py").read_text(encoding="utf-8"),
        re.MULTILINE,
    )


@pytest.mark.parametrize(
    "line",
    [
        "from dbnlib.dbn import DBN",
        "from dbnlib import dbn",
        "import dbnlib.dbn as d",
        "from . import dbn",
        "from .dbn import DBN",
        "def f():\n    from dbnlib.dbn import DBN",
        "from dbnlib.rbm import RBM",
    ],
)
def test_import_from_above_is_seen(tmp_path, line):
    path = tmp_path / "rbm.py"
    path.write_text(f"import numpy as np\nfrom dbnlib.checks import check_array\n{line}\n")
    assert len(too_high("rbm", imports(path))) == 1


def test_no_module_stands_twice():
    assert len(ORDER) == len(set(ORDER))


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what):
    assert offences(FORBIDDEN[what]) == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("host of a package registry", "see https://py" + "pi.org/project/uv"),
        ("host of a package registry", "https://files.python" + "hosted.org/a.whl"),
        ("path of one machine", "File /ho" + "me/ada/notebook.py"),
        ("path of one machine", '"/ro' + 'ot/course"'),
        ("path of one machine", r"C:\Us" + r"ers\ada"),
        ("folder of one run", "/tmp/ipy" + "kernel_42/1.py"),
    ],
)
def test_what_no_file_may_name_is_recognised(what, text):
    assert re.search(FORBIDDEN[what], text)


def test_ordinary_words_are_not_forbidden():
    harmless = "frame/root/x, ~/home/x, https://example.org/home/x, the root / the work"
    assert not any(re.search(pattern, harmless) for pattern in FORBIDDEN.values())
