"""What is recorded during training, against the quantities computed by hand."""

import numpy as np
import pytest

from dbnlib.data import digits
from dbnlib.exact import log_likelihood
from dbnlib.monitors import make_monitors
from dbnlib.rbm import RBM
from dbnlib.training import train_rbm


def recorded(name, rbm, v, held_out=None):
    return make_monitors([name], rbm, v, held_out)[name](rbm)


@pytest.fixture
def v(rng):
    return rng.integers(0, 2, size=(30, 4)).astype(float)


def test_reconstruction_error_is_the_squared_distance_to_the_mirror_image(rbm, v):
    expected = np.mean(np.sum((v - rbm.visible_mean(rbm.hidden_mean(v))) ** 2, axis=1))
    assert recorded("reconstruction_error", rbm, v) == pytest.approx(expected)


def test_log_likelihood_is_the_exact_one(rbm, v):
    assert recorded("log_likelihood", rbm, v) == pytest.approx(log_likelihood(rbm, v).mean())


def test_free_energy_gap_is_the_difference_of_log_likelihoods(rbm, v):
    held_out = 1 - v[:10]
    expected = log_likelihood(rbm, v).mean() - log_likelihood(rbm, held_out).mean()
    assert recorded("free_energy_gap", rbm, v, held_out) == pytest.approx(expected)


def test_hidden_activity_of_units_that_are_switched_off_is_zero(v):
    assert recorded("hidden_activity", RBM(np.zeros((4, 3)), c=[-99.0] * 3), v) < 1e-6


def test_free_energy_gap_grows_when_a_machine_learns_its_few_rows_by_heart(rng):
    images = (digits().images > 0.5).astype(np.float32)
    rbm = RBM.random(64, 200, rng, data=images[:50])
    history = train_rbm(
        rbm, images[:50], epochs=150, rng=rng, held_out=images[1000:1500], batch_size=10
    )
    gap = history["free_energy_gap"]
    assert gap[-1] > gap[4] + 10


def test_small_machines_with_binary_rows_record_their_likelihood_unasked(rbm, v, rng):
    history = train_rbm(rbm, v, epochs=2, rng=rng, held_out=v)
    assert history.names == ["reconstruction_error", "log_likelihood", "free_energy_gap"]
    assert len(history) == 2


def test_a_monitor_of_ones_own_is_recorded_under_its_name(rbm, v, rng):
    norm = {"norm": lambda machine: np.linalg.norm(machine.W)}
    history = train_rbm(rbm, v, epochs=1, rng=rng, monitors=norm)
    assert history["norm"][0] == pytest.approx(np.linalg.norm(rbm.W))


def test_a_monitor_that_was_not_recorded_is_named(rbm, v, rng):
    history = train_rbm(rbm, v, epochs=1, rng=rng, monitors=["hidden_activity"])
    with pytest.raises(KeyError, match="there are hidden_activity"):
        history["loss"]
