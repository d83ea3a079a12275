"""The benchmark does its jobs and says what it found; no test asks how fast the machine is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from exercises.common import UsageError
from tests.benchmarks import command, report
from tests.benchmarks.cost_jobs import steepness
from tests.benchmarks.jobs import FLOOR, JOBS, OURS, REDUCED, Found, Line, race, ratio_lines

STORED = report.stored()


@pytest.mark.slow
@pytest.mark.parametrize("name", JOBS)
def test_every_job_finds_figures_in_a_reduced_run(name):
    found = JOBS[name].run(REDUCED)
    assert found.note or found.lines
    assert all(np.isfinite(line.value) and line.value > 0 for line in found.lines)


def test_a_ratio_is_the_others_time_over_ours_in_the_same_round():
    seconds = {OURS: [1.0, 2.0, 4.0], FLOOR: [0.5, 1.0, 1.0], "peer": [3.0, 4.0, 8.0]}
    floor, peer = ratio_lines(seconds, {FLOOR: 0.7, "peer": 1.5})
    assert (floor.value, peer.value) == (0.5, 2.0)
    assert (floor.reached, peer.reached) == (False, True)


def test_contestants_run_by_turns_and_the_first_round_is_not_counted():
    calls = []
    contestants = {name: lambda name=name: calls.append(name) for name in "abc"}
    seconds = race(contestants, 2)
    assert [len(times) for times in seconds.values()] == [2, 2, 2]
    assert [calls[i : i + 3] for i in (0, 3, 6)] == [list("cab"), list("abc"), list("bca")]


def test_the_power_of_a_square_is_two():
    assert steepness([(1, 3.0), (2, 12.0), (4, 48.0)]) == pytest.approx(2)


def test_a_line_says_its_goal_and_whether_it_is_reached():
    assert report.cells(Line("time", 3.0, "s", at_most=5)) == ["time", "3 s", "≤ 5", "yes"]


def test_a_run_is_written_as_page_data_and_chart(tmp_path):
    found = {"cd_1": Found([Line("share", 0.7, "", 0.6, 0.8, at_least=0.72)])}
    jobs = report.record(found, REDUCED, "course bench --job cd_1")
    page, data, chart = report.write(jobs, tmp_path)
    assert "| share | 0.7 [0.60, 0.80] | ≥ 0.72 | no |" in page.read_text(encoding="utf-8")
    run = json.loads(data.read_text(encoding="utf-8"))["cd_1"]["run"]
    assert run["command"] == "course bench --job cd_1"
    assert chart.stat().st_size > 5_000


def test_an_unknown_job_is_met_with_the_nearest_name():
    with pytest.raises(UsageError, match="did you mean 'cd_1'"):
        command.run(names=["cd1"])


def test_only_a_full_run_is_stored():
    with pytest.raises(UsageError, match="add --full"):
        command.run(names=["cd_1"], store=True)


def test_the_page_shows_the_stored_run():
    page = report.PAGE.read_text(encoding="utf-8")
    shown = page.split(report.BEGIN)[1].split(report.END)[0].strip()
    assert shown == report.markdown(STORED)


def test_what_is_stored_was_measured_in_full():
    assert {"cd_1", "fine_tuning", "annealing", "gibbs"} <= set(STORED) <= set(JOBS)
    assert {one["run"]["mode"] for one in STORED.values()} == {"full"}
    assert all(one["run"]["rounds"] >= 7 for one in STORED.values())
