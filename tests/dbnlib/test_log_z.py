"""Intervals of a mean weight: numbers by hand, and how often they hold the truth."""

import numpy as np
import pytest

from dbnlib.log_z import BothDirections, LogZEstimate, effective_sample_size, log_mean_interval


def test_effective_sample_size_counts_equal_weights():
    assert effective_sample_size(np.full(7, -900.0)) == pytest.approx(7)


def test_effective_sample_size_is_one_where_one_weight_is_all():
    assert effective_sample_size(np.array([800.0, 0.0, -3.0, 5.0])) == pytest.approx(1)


def test_effective_sample_size_of_three_weights_by_hand():
    # (1 + 2 + 3)² / (1 + 4 + 9)
    assert effective_sample_size(np.log([1.0, 2.0, 3.0])) == pytest.approx(36 / 14)


def test_interval_is_three_standard_errors_of_the_mean_weight():
    w = np.tile([0.9, 1.1], 50)
    error = 3 * np.sqrt(0.01 * 100 / 99) / 10
    expected = [0, np.log(1 - error), np.log(1 + error)]
    np.testing.assert_allclose(log_mean_interval(np.log(w)), expected, atol=1e-12)


def test_interval_moves_with_the_weights(rng):
    log_w = 3 * rng.normal(size=50)
    moved = np.array(log_mean_interval(log_w + 1e4)) - 1e4
    np.testing.assert_allclose(moved, log_mean_interval(log_w), atol=1e-9)


@pytest.mark.parametrize("spread", [0.3, 1.0, 2.0, 3.0])
def test_interval_holds_the_mean_of_lognormal_weights(spread):
    # with spread 3 three plain standard errors miss nearly every other time
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(400):
        _, low, high = log_mean_interval(spread * rng.normal(size=100))
        inside += low <= 0.5 * spread**2 <= high
    assert inside >= 360


def test_low_end_keeps_to_markov_s_inequality_where_one_weight_carries_all():
    log_w = np.r_[20.0, np.zeros(99)]
    value, low, _ = log_mean_interval(log_w)
    assert value - low == pytest.approx(-np.log(0.00135), abs=1e-3)


def test_few_lost_chains_do_not_widen_the_interval():
    # weights that are nearly zero matter little: the lognormal law must not be asked
    _, low, high = log_mean_interval(np.r_[np.zeros(90), np.full(10, -50.0)])
    assert high - low < 0.25


def test_reverse_turns_the_interval_round():
    log_w = np.log([1.0, 2.0, 4.0, 1.0])
    forward = LogZEstimate.from_weights(log_w, 10.0, "forward", 5)
    reverse = LogZEstimate.from_weights(log_w, 10.0, "reverse", 5)
    assert forward.value == pytest.approx(10 + np.log(2))
    assert reverse.value == pytest.approx(10 - np.log(2))
    assert reverse.low == pytest.approx(20 - forward.high)
    assert reverse.high == pytest.approx(20 - forward.low)


def test_gap_and_overlap():
    near = LogZEstimate(1.0, 0.5, 1.5, np.zeros(2), "forward", 2)
    far = LogZEstimate(4.0, 3.0, 5.0, np.zeros(2), "reverse", 2)
    touching = LogZEstimate(2.0, 1.4, 5.0, np.zeros(2), "reverse", 2)
    assert BothDirections(near, far).gap == 3
    assert not BothDirections(near, far).overlap
    assert BothDirections(near, touching).overlap


def test_an_estimate_says_what_it_is():
    text = repr(LogZEstimate(451.234, 450.9, 451.6, np.zeros(100), "forward", 1000))
    assert text == (
        "log Z = 451.23, interval 450.90 to 451.60 (forward AIS, 100 chains × 1000 temperatures, "
        "effective sample size 100.0)"
    )


def test_estimates_can_be_compared_and_be_keys():
    one, other = (LogZEstimate.from_weights(np.zeros(3), 0.0, "forward", 2) for _ in range(2))
    assert one == one
    assert len({one, other}) == 2
