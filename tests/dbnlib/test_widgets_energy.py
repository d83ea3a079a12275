"""The figures of notebook 01 draw what they say, without a kernel, and refuse what they cannot."""

import re
import subprocess
import sys

import numpy as np
import pytest
from matplotlib import pyplot as plt

from dbnlib import widgets
from dbnlib.boltzmann import BoltzmannMachine
from dbnlib.spins import IsingGrid
from dbnlib.widgets.energy import (
    cool,
    cooling,
    landscape,
    machine_graph,
    probabilities,
    two_valleys,
    valley_shares,
)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


# ---- the landscape


def test_probabilities_by_hand():
    # weights 1, e⁻² and e⁻⁴ at temperature ½
    weights = np.array([1, np.exp(-2), np.exp(-4)])

    np.testing.assert_allclose(probabilities([0, 1, 2], 0.5), weights / weights.sum())


def test_adding_a_constant_to_all_energies_changes_nothing():
    np.testing.assert_allclose(probabilities([0, 1, 3]), probabilities([1000, 1001, 1003]))


def test_extreme_energies_neither_overflow_nor_warn():
    np.testing.assert_array_equal(probabilities([-1e4, 0, 1e4], 0.1), [1, 0, 0])


def test_the_left_valley_is_deeper_and_the_right_one_broader():
    places, energies = two_valleys()
    low = energies < energies[places > 0].min() + 1  # within 1 nat of the shallow valley's floor

    assert energies[places < -0.9].min() < energies[places >= -0.9].min() - 0.5
    assert (low & (places >= -0.9)).sum() > 2 * (low & (places < -0.9)).sum()


def test_depth_wins_when_cold_and_room_when_warm():
    cold, _ = valley_shares(0.1)
    warm, _ = valley_shares(1.0)

    assert cold > 0.9
    assert warm < 0.4


def test_at_infinite_temperature_the_share_is_that_of_the_places():
    places, _ = two_valleys()

    narrow, broad = valley_shares(1e9)

    assert narrow == pytest.approx(np.mean(places < -0.9))
    assert narrow + broad == pytest.approx(1)


def test_landscape_draws_the_energies_and_the_probabilities():
    places, energies = two_valleys()

    above, below = landscape(0.7).axes

    np.testing.assert_array_equal(above.lines[0].get_xydata(), np.column_stack([places, energies]))
    heights = [bar.get_height() for bar in below.patches]
    np.testing.assert_allclose(heights, probabilities(energies, 0.7))


def test_landscape_refuses_a_temperature_of_zero():
    with pytest.raises(ValueError, match="temperature must be a finite number in"):
        landscape(0)


# ---- the magnet


def test_a_cold_magnet_agrees_and_a_hot_one_does_not():
    grid = IsingGrid(16, 16)

    states = cool(grid, np.linspace(10, 0.1, 200), np.random.default_rng(0))

    per_site = grid.energy(states) / 256
    assert per_site[:10].mean() > -0.5  # independent spins have 0, equal ones −2
    assert per_site[-1] < -1.6


def test_cool_has_one_state_a_temperature():
    states = cool(IsingGrid(4, 6), [3, 2, 1], np.random.default_rng(0))

    assert states.shape == (3, 4, 6)
    assert set(np.unique(states)) <= {-1, 1}


def test_cooling_shows_the_grid_of_that_sweep_and_the_energies_up_to_it():
    grid, temperatures = IsingGrid(4, 6), np.array([3.0, 2.0, 1.0])
    states = cool(grid, temperatures, np.random.default_rng(1))

    left, right = cooling(grid, states, temperatures, 2).axes

    np.testing.assert_array_equal(left.images[0].get_array(), states[1])
    expected = [[3.0, grid.energy(states[0]) / 24], [2.0, grid.energy(states[1]) / 24]]
    np.testing.assert_allclose(right.lines[0].get_xydata(), expected)


@pytest.mark.parametrize(
    ("temperatures", "sweep", "message"),
    [
        ([3, 2, 1], 4, "sweep must be at most 3, the number of states, got 4"),
        ([3, 2, 1], 0, "sweep must be at least 1, got 0"),
        ([3, 2], 1, "states must hold one grid for each of the 2 temperatures"),
        ([3, 2, 0], 1, "temperatures must all be above 0, got 0"),
    ],
)
def test_cooling_refuses_what_does_not_fit(temperatures, sweep, message):
    states = np.ones((3, 4, 4))

    with pytest.raises(ValueError, match=re.escape(message)):
        cooling(IsingGrid(4, 4), states, temperatures, sweep)


# ---- the machine drawn


def test_each_unit_and_each_coupling_is_written_once():
    J = np.array([[0, 2, -1.5], [2, 0, 0], [-1.5, 0, 0]])
    machine = BoltzmannMachine(J, [0.5, -1, 0])

    axis = machine_graph(machine, ["a", "b", "c"]).axes[0]

    written = sorted(text.get_text() for text in axis.texts)
    assert written == sorted(["+2", "-1.5", "a\n+0.5", "b\n-1", "c\n+0"])
    assert len(axis.lines) == 2  # no line where the coupling is 0


def test_likes_and_dislikes_differ_in_more_than_colour():
    J = np.array([[0, 2, -1], [2, 0, 0], [-1, 0, 0.0]])

    like, dislike = machine_graph(BoltzmannMachine(J)).axes[0].lines

    assert (like.get_linestyle(), dislike.get_linestyle()) == ("-", "--")
    assert like.get_linewidth() > dislike.get_linewidth()


def test_machine_without_couplings_can_be_drawn():
    assert len(machine_graph(BoltzmannMachine(np.zeros((2, 2)))).axes[0].lines) == 0


def test_names_must_be_as_many_as_units():
    with pytest.raises(ValueError, match="there are 2 names for 3 units"):
        machine_graph(BoltzmannMachine(np.zeros((3, 3))), ["a", "b"])


# ---- the package


@pytest.mark.parametrize("name", widgets.__all__)
def test_every_exported_name_loads(name):
    assert callable(getattr(widgets, name))


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="dbnlib.widgets has no 'slider'; it has .*landscape"):
        widgets.slider  # noqa: B018


def test_neither_the_library_nor_the_package_loads_what_draws():
    code = (
        "import sys, dbnlib, dbnlib.widgets; "
        "print(sorted({'matplotlib', 'ipywidgets'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_figures_need_no_ipywidgets():
    code = (
        "import sys; from dbnlib import widgets; "
        "[getattr(widgets, name) for name in widgets.__all__]; print('ipywidgets' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
