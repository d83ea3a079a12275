"""The table of symbols in notebook 00, held against the code: each name exists, with its shape."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from dbnlib import (
    DBN,
    RBM,
    BoltzmannMachine,
    Network,
    exact_bound,
    exact_log_likelihood,
    log_likelihood,
    log_partition,
)
from dbnlib.exact import model_moments, visible_distribution
from dbnlib.gradients import CD, ExactGradient
from dbnlib.layers import draw_mask
from dbnlib.spins import to_spins
from dbnlib.training import train_rbm
from dbnlib.units import sigmoid

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "00_start_here.ipynb"
ROW = re.compile(
    r"^\| \$(?P<symbol>.+?)\$ \| (?P<meaning>.+) \| \((?P<shape>.*?)\) \| `(?P<code>.+)` \|$"
)

SIZES = {
    "n_examples": 7,
    "n_visible": 5,
    "n_hidden": 3,
    "n_units": 4,
    "n_inputs": 5,
    "n_outputs": 2,
}


def table():
    """The rows of the table: symbol, meaning, shape, name in the code."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    text = "".join(next(cell for cell in cells if cell["id"] == "symbols")["source"])
    lines = [line for line in text.splitlines() if line.startswith("| $")]
    rows = [ROW.match(line) for line in lines]
    assert all(rows), f"not of the table's form: {lines[rows.index(None)]}"
    return [row.groupdict() for row in rows]


def namespace():
    """Small models under the names that the table uses."""
    rng = np.random.default_rng(0)
    n, nv, nh = SIZES["n_examples"], SIZES["n_visible"], SIZES["n_hidden"]
    rbm = RBM.random(nv, nh, rng, scale=1, dtype=np.float64)
    v = rng.integers(0, 2, size=(n, nv)).astype(float)
    network = Network.random([nv, SIZES["n_units"], SIZES["n_outputs"]], rng)
    return {
        "v": v,
        "h": rbm.sample_hidden(v, rng),
        "x": rbm.hidden_field(v),
        "rbm": rbm,
        "dbn": DBN([rbm, RBM.random(nh, 4, rng)]),
        "machine": BoltzmannMachine.random(SIZES["n_units"], 0, rng),
        "states": rng.integers(0, 2, size=(n, SIZES["n_units"])).astype(float),
        "network": network,
        "inputs": v,
        "y": np.eye(SIZES["n_outputs"])[rng.integers(0, 2, size=n)],
        "z": v @ network.weights[0] + network.biases[0],
        "mask": np.empty((n, SIZES["n_units"])),
        "rng": rng,
        "gradient": ExactGradient().gradient(rbm, v, rng),
        "k": 3,
        "n_samples": 50,
        "beta": 0.5,
        "momentum": 0.9,
        "learning_rate": 0.1,
        **{f.__name__: f for f in (sigmoid, log_partition, log_likelihood, visible_distribution)},
        **{f.__name__: f for f in (to_spins, model_moments, CD, exact_bound, draw_mask, len)},
        "exact_log_likelihood": exact_log_likelihood,
    }


@pytest.mark.parametrize("row", table(), ids=lambda row: row["symbol"])
def test_the_name_in_the_code_exists_and_has_the_shape_that_is_said(row):
    value = eval(row["code"], {"__builtins__": {}}, namespace())
    expected = eval(f"({row['shape']})", {"__builtins__": {}}, SIZES)
    assert np.shape(value) == expected


def test_the_table_has_the_symbols_of_the_models_parameters():
    code = {row["code"] for row in table()}
    assert {"rbm.W", "rbm.b", "rbm.c", "machine.J", "network.weights[0]"} <= code


def test_settings_named_in_the_table_are_arguments_of_the_code():
    assert "learning_rate" in train_rbm.__kwdefaults__
    assert "beta" in RBM.gibbs_step.__kwdefaults__


def test_what_the_table_says_of_free_energy_and_spins_is_true():
    names = namespace()
    rbm, v, states = names["rbm"], names["v"], names["states"]
    h = rbm.hidden.states(0, rbm.hidden.n_states)
    sums = sum(np.exp(-rbm.energy(v, np.tile(state, (len(v), 1)))) for state in h)
    np.testing.assert_allclose(np.exp(-rbm.free_energy(v)), sums)
    np.testing.assert_array_equal(to_spins(states), 2 * states - 1)
    expected = -rbm.free_energy(v) - log_partition(rbm)
    np.testing.assert_allclose(log_likelihood(rbm, v), expected)
