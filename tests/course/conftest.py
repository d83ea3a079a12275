"""A small course in a temporary folder, with two notebooks and one unit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def notebook(*sources: str, outputs: list | None = None, count: int | None = None) -> str:
    """The text of a notebook with these code cells."""
    cells = [
        {
            "cell_type": "code",
            "execution_count": count,
            "id": f"code-{n}",
            "metadata": {},
            "outputs": outputs or [],
            "source": text,
        }
        for n, text in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3"}
    whole = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}
    return json.dumps(whole, indent=1)


def printed(text: str) -> list:
    """The outputs of a cell that prints."""
    return [{"output_type": "stream", "name": "stdout", "text": text}]


def write(path: Path, text: str) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def root(tmp_path) -> Path:
    """The folder of a small course; it also holds what a learner shall not get."""
    root = tmp_path / "a course"
    write(root / "notebooks/00_start_here.ipynb", notebook("1 + 1"))
    write(root / "notebooks/01_energy.ipynb", notebook("energy = 1"))
    write(root / "notebooks/.ipynb_checkpoints/01_energy.ipynb", "{}")
    write(root / "exercises/unit_01_energy/energy.py", "def energy(v):\n    ...\n")
    write(root / "exercises/unit_01_energy/__pycache__/energy.pyc", "")
    write(root / "exercises/grading/harness.py", "")
    write(root / "exercises/course.py", "")
    return root
