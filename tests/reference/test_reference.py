"""The reference rows: each can be run, what is stored is what is shown, a stopped run goes on."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from exercises.common import MissingError, UsageError
from tests.reference import command, table
from tests.reference.classification import smoothed
from tests.reference.rows import FULL, QUICK, ROWS, Figure, Finding, Row
from tests.reference.workshop import Workshop

needs_mnist = pytest.mark.skipif(
    not os.environ.get("DBNLIB_DATA"), reason="DBNLIB_DATA names no folder with MNIST"
)

EACH_ROW = [
    pytest.param(row.name, marks=needs_mnist if row.tier == FULL else ()) for row in ROWS.values()
]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return Workshop(tmp_path_factory.mktemp("parts"), reduced=True, progress=False)


@pytest.mark.parametrize("name", EACH_ROW)
def test_a_row_measures_finite_figures_in_a_reduced_run(name, workshop):
    found = command.measured(ROWS[name], workshop)
    values = [value for figure in found["figures"] for value in figure["values"]]
    assert values
    assert all(abs(value) < 1e4 for value in values)
    assert json.loads(json.dumps(found)) == found
    assert found["seconds"] >= 0


@pytest.mark.parametrize("name", EACH_ROW)
def test_a_row_that_was_kept_counts_the_time_of_all_its_parts_again(name, tmp_path):
    counted = []
    for _ in range(2):
        workshop = Workshop(tmp_path, reduced=True, progress=False)
        command.measured(ROWS[name], workshop)
        counted.append(workshop.parts)
    assert counted[1] == counted[0]


def test_a_run_that_was_stopped_makes_only_what_is_missing(tmp_path):
    made = []

    def number(name):
        def make(checkpoint):
            checkpoint.write_text("half way")
            made.append(name)
            return 1.5

        return make

    for _ in range(2):
        workshop = Workshop(tmp_path)
        assert workshop.number("first", number("first"), 0.1) == 1.5
    workshop.number("first", number("another rate"), 0.2)
    assert made == ["first", "another rate"]
    assert not list(tmp_path.glob("*.training"))


def test_smoothed_targets_give_a_tenth_of_the_probability_to_all_ten_classes_alike():
    by_hand = [[0.01, 0.01, 0.91, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]]
    np.testing.assert_allclose(smoothed(np.array([2]), 0.1), by_hand, rtol=1e-12)


def test_the_time_of_a_row_counts_parts_of_earlier_runs_and_each_part_once(tmp_path):
    for _ in range(2):
        workshop = Workshop(tmp_path)
        for name in ("layers", "network", "layers"):
            workshop.number(name, lambda _: 1)
    (tmp_path / "layers.seconds").write_text("20")
    (tmp_path / "network.seconds").write_text("3")
    assert workshop.seconds == 23


def test_a_figure_shows_mean_spread_interval_and_unit():
    assert str(Figure("error", [1.0, 2.0], "%")) == "error 1.50 ± 0.71 %"
    assert str(Figure("log p", [-90.123], "nats", low=-91, high=-89.5)) == (
        "log p -90.12 [-91.00, -89.50] nats"
    )
    assert str(Figure("count", [3], digits=0)) == "count 3"


def test_a_missed_goal_is_said_to_be_missed_and_ends_in_exit_code_1(tmp_path, monkeypatch, capsys):
    missed = Row("missed", QUICK, "What?", "≥ 9", "so", "there", lambda shop: finding)
    finding = Finding([Figure("it", [8.0])], reached=False)
    monkeypatch.setitem(ROWS, "missed", missed)
    assert command.run(folder=tmp_path, names=["missed"]) == 1
    assert "goal: ≥ 9; reached: no" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["rbm_61", "nonsense"])
def test_an_unknown_row_is_a_wrong_use(wrong, tmp_path):
    with pytest.raises(UsageError, match="there is no row"):
        command.run(folder=tmp_path, names=[wrong])


def test_missing_data_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DBNLIB_DATA", str(tmp_path))
    with pytest.raises(MissingError, match="rbm_16 needs data"):
        command.run(folder=tmp_path, names=["rbm_16"])


def test_readme_and_page_show_the_stored_results():
    stored = table.read()
    readme = (table.ROOT / "README.md").read_text(encoding="utf-8")
    assert table.between_marks(readme, stored) == readme
    capstone = table.CAPSTONE.read_text(encoding="utf-8")
    assert table.in_notebook(capstone, stored) == capstone
    assert (table.STORED / "README.md").read_text(encoding="utf-8") == table.page(stored)


@pytest.mark.parametrize("name", sorted(table.read()))
def test_what_is_stored_was_made_as_the_row_now_says(name):
    found = table.read()[name]
    row = ROWS[name]
    now = (row.what, row.goal, row.settings, row.chosen)
    assert (found["what"], found["goal"], found["settings"], found["chosen"]) == now
