"""AIS against enumeration, closed forms and integrals: coverage, direction of bias, limits."""

import itertools
import math
import warnings

import numpy as np
import pytest
from scipy.integrate import dblquad

from dbnlib.annealed import (
    ais,
    ais_both,
    base_bias,
    check_betas,
    log_normaliser_rise,
    log_z_of_base,
    salakhutdinov_murray_betas,
    uniform_betas,
    walk_log_weights,
)
from dbnlib.checks import NotNormalisableError
from dbnlib.exact import log_partition
from dbnlib.exact_sampling import exact_samples
from dbnlib.groups import Groups, make_units
from dbnlib.log_z import DirectionsDisagreeWarning
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, Softmax

KINDS = ["bernoulli", "softmax", "gaussian", "relu"]


def random_rbm(rng, n_visible, n_hidden, scale=1.5, **layers):
    W = scale * rng.normal(size=(n_visible, n_hidden))
    return RBM(W, rng.normal(size=n_visible), rng.normal(size=n_hidden), **layers)


def two_modes(n=10, tilt=3.0):
    """All off and all on, with a deep valley between them; all on is e^`tilt` times likelier."""
    bias = np.full(n, -n / 2 + tilt / (2 * n))
    return RBM(np.ones((n, n)), bias, bias)


def gaussian_log_z(rbm):
    """log ∫ exp(a'u − ½u'Qu) du for u = (v, h), by the determinant of the precision Q."""
    Q = np.block([[np.eye(rbm.n_visible), -rbm.W], [-rbm.W.T, np.eye(rbm.n_hidden)]])
    a = np.r_[rbm.b, rbm.c]
    return 0.5 * (len(a) * np.log(2 * np.pi) - np.linalg.slogdet(Q)[1] + a @ np.linalg.solve(Q, a))


def integrated_log_z(rbm):
    """log Z of one visible and one hidden continuous unit, by numerical integration."""
    w, b, c = rbm.W.item(), rbm.b.item(), rbm.c.item()
    low = [0 if units.low == 0 else -15 for units in (rbm.visible, rbm.hidden)]

    def weight(h, v):
        return math.exp(b * v + c * h + w * v * h - 0.5 * v * v - 0.5 * h * h)

    return math.log(dblquad(weight, low[0], 15, low[1], 15, epsrel=1e-6)[0])


def exact_log_z(rbm):
    if {rbm.visible.name, rbm.hidden.name} <= {"gaussian"}:
        return gaussian_log_z(rbm)
    if {rbm.visible.name, rbm.hidden.name} <= {"gaussian", "relu"}:
        return integrated_log_z(rbm)
    return log_partition(rbm)


def test_the_two_oracles_for_gaussian_units_agree():
    rbm = RBM([[0.6]], [0.3], [-0.8], visible="gaussian", hidden="gaussian")
    assert gaussian_log_z(rbm) == pytest.approx(integrated_log_z(rbm), abs=1e-6)


# ---- the interval and the bias


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_the_interval_holds_log_z_of_at_least_90_machines_in_100(direction):
    # Eight temperatures only, so that the estimates are off by some tenths of a nat.
    inside, widths, errors = 0, [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n_visible, n_hidden = [(6, 4), (8, 5), (5, 8), (10, 6)][seed % 4]
        rbm = random_rbm(rng, n_visible, n_hidden)
        estimate = ais(rbm, rng, n_betas=8, direction=direction)
        exact = log_partition(rbm)
        inside += estimate.low <= exact <= estimate.high
        widths.append(estimate.high - estimate.low)
        errors.append(estimate.value - exact)
    assert inside >= 90
    assert np.mean(widths) < 1.5
    assert np.median(widths) < 1.0
    assert np.std(errors) > 0.1


@pytest.mark.parametrize(("direction", "sign"), [("forward", -1), ("reverse", 1)])
def test_forward_is_too_low_and_reverse_too_high_on_average(direction, sign):
    rbm = random_rbm(np.random.default_rng(6), 8, 5)
    values = [
        ais(rbm, np.random.default_rng(s), n_chains=5, n_betas=4, direction=direction).value
        for s in range(400)
    ]
    error = sign * (np.array(values) - log_partition(rbm))
    assert error.mean() > 4 * error.std() / np.sqrt(400)


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_both_directions_tend_to_log_z_as_temperatures_are_added(direction):
    rbm = random_rbm(np.random.default_rng(3), 8, 5)
    exact = log_partition(rbm)
    error = [
        np.mean(
            [
                abs(
                    ais(rbm, np.random.default_rng(s), n_betas=n, direction=direction).value - exact
                )
                for s in range(10)
            ]
        )
        for n in (3, 30, 300)
    ]
    assert error[0] > 2 * error[1] > 4 * error[2]
    assert error[2] < 0.03


@pytest.mark.parametrize("with_data", [False, True])
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_the_mean_weight_is_unbiased_for_any_number_of_temperatures(direction, with_data, rng):
    rbm = random_rbm(rng, 5, 4, 0.7)
    b_base = base_bias(rbm, rng.random((20, 5)) if with_data else None)
    betas = np.array([0.0, 0.3, 0.6, 1.0])
    n = 20_000
    if direction == "forward":
        v = rbm.visible.sample(np.tile(b_base, (n, 1)), rng)
        ratio = np.exp(log_partition(rbm) - log_z_of_base(rbm, b_base))
    else:
        v, betas = exact_samples(rbm, n, rng), betas[::-1]
        ratio = np.exp(log_z_of_base(rbm, b_base) - log_partition(rbm))
    w = np.exp(walk_log_weights(rbm, b_base, v, betas, rng))
    assert abs(w.mean() - ratio) < 4 * w.std() / np.sqrt(n)
    assert w.std() / np.sqrt(n) < 0.03 * ratio


# ---- units


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize(("visible", "hidden"), list(itertools.product(KINDS, KINDS)))
def test_every_pair_of_units_has_its_log_z(visible, hidden, direction, rng):
    continuous = {visible, hidden} <= {"gaussian", "relu"}
    if continuous:
        n = (3, 2) if {visible, hidden} == {"gaussian"} else (1, 1)
        W = rng.normal(size=n)
        rbm = RBM(0.7 * W / np.linalg.norm(W, 2), visible=visible, hidden=hidden)
        rbm.b[:], rbm.c[:] = rng.normal(size=n[0]), rng.normal(size=n[1])
        start = {"start": rbm.visible.sample(np.tile(rbm.b, (500, 1)), rng), "burn_in": 50}
    else:
        rbm, start = random_rbm(rng, 4, 3, 0.7, visible=visible, hidden=hidden), {}
    estimate = ais(rbm, rng, n_chains=500, n_betas=60, direction=direction, **start)
    assert estimate.low <= exact_log_z(rbm) <= estimate.high
    assert estimate.high - estimate.low < 0.4


def test_pixels_and_a_label_side_by_side():
    rng = np.random.default_rng(1)
    rbm = random_rbm(rng, 7, 4, visible=Groups([Bernoulli(4), Softmax(3)]))
    data = exact_samples(rbm, 50, rng)
    both = ais_both(rbm, rng, data=data, n_betas=200)
    for estimate in both:
        assert estimate.low <= log_partition(rbm) <= estimate.high
        assert estimate.high - estimate.low < 0.4


def test_a_label_among_the_hidden_units(rng):
    rbm = random_rbm(rng, 4, 7, hidden=Groups([Bernoulli(4), Softmax(3)]))
    estimate = ais(rbm, rng, n_betas=200)
    assert estimate.low <= log_partition(rbm) <= estimate.high


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_a_float32_machine_has_its_own_log_z(direction, rng):
    rbm = RBM((0.4 * rng.normal(size=(60, 8))).astype(np.float32), rng.normal(size=60))
    data = rbm.visible.sample(np.tile(rbm.b, (50, 1)), rng)
    estimate = ais(rbm, rng, data=data, n_betas=2000, direction=direction)
    assert estimate.log_weights.dtype == np.float64
    assert estimate.low <= log_partition(rbm) <= estimate.high
    assert estimate.high - estimate.low < 0.2


# ---- the rise of the log-normaliser


@pytest.mark.parametrize("betas", [(0.3, 0.3001), (0.0, 1.0), (0.9, 0.2)])
@pytest.mark.parametrize(
    "units",
    [*(make_units(kind, 6) for kind in KINDS), Groups([Bernoulli(4), Softmax(2)])],
    ids=repr,
)
def test_rise_is_the_difference_of_two_log_normalisers(units, betas, rng):
    x = 8 * rng.normal(size=(5, 6))
    old, new = betas
    expected = units.log_normaliser(new * x) - units.log_normaliser(old * x)
    buffers = np.empty_like(x), np.empty_like(x)
    rise = log_normaliser_rise(units, x, old, new, buffers=buffers)
    np.testing.assert_allclose(rise, expected, atol=1e-10)
    np.testing.assert_array_equal(rise, log_normaliser_rise(units, x, old, new))


def test_rise_of_a_tiny_step_keeps_its_digits_in_float32(rng):
    # two sums of 500 softplus in float32 would be off by some 1e-4
    x = (3 * rng.normal(size=(20, 500))).astype(np.float32)
    old, new = (float(np.float32(beta)) for beta in (0.95, 0.95001))
    wide = Bernoulli(500).log_normaliser
    expected = wide(new * x.astype(np.float64)) - wide(old * x.astype(np.float64))
    rise = log_normaliser_rise(Bernoulli(500), x, old, new)
    assert rise.dtype == np.float64
    np.testing.assert_allclose(rise, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rise_of_enormous_fields_neither_overflows_nor_warns(dtype):
    x = np.array([[1e4, -1e4, 0.0]], dtype=dtype)
    rise = log_normaliser_rise(Bernoulli(3), x, 0.0, 1.0)
    # from log 2 each to 1e4, 0 and log 2
    np.testing.assert_allclose(rise, 1e4 - 2 * np.log(2), rtol=1e-6)


def test_a_machine_with_enormous_weights_has_its_log_z(rng):
    rbm = RBM(1e4 * np.eye(3, dtype=np.float32), c=[0.0, 1.0, 2.0])
    estimate = ais(rbm, rng, n_betas=50)
    assert estimate.low <= log_partition(rbm) <= estimate.high
    assert estimate.value == pytest.approx(3e4, abs=10)


# ---- disagreement


def test_the_warning_fires_where_chains_miss_a_mode():
    rbm = two_modes()
    with pytest.warns(DirectionsDisagreeWarning, match="do not overlap and the gap is .* nats"):
        both = ais_both(rbm, np.random.default_rng(0), n_betas=20)
    # forward is sure of itself, and wrong: no chain has met the mode that holds 95 % of p(v)
    assert both.forward.high < log_partition(rbm) - 1
    assert both.forward.effective_sample_size > 90


def test_the_warning_fires_for_disjoint_intervals_however_wide_a_gap_is_allowed():
    with pytest.warns(DirectionsDisagreeWarning, match="do not overlap"):
        ais_both(two_modes(), np.random.default_rng(0), n_betas=20, max_gap=1e6)


def test_the_warning_fires_for_a_wide_gap_even_if_intervals_overlap(rng):
    rbm = random_rbm(rng, 8, 5)
    with pytest.warns(DirectionsDisagreeWarning, match="intervals overlap and the gap"):
        ais_both(rbm, rng, n_betas=10, max_gap=0.0)


def test_an_easy_machine_does_not_warn(rng):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        both = ais_both(random_rbm(rng, 8, 5, 0.5), rng, n_betas=50)
    assert abs(both.gap) < 0.2


# ---- where reverse chains start


def test_reverse_from_rows_after_a_burn_in_is_as_good_as_from_exact_draws(rng):
    rbm = random_rbm(rng, 8, 5, 0.5)
    rows = np.ones((3, 8))
    estimate = ais(rbm, rng, direction="reverse", start=rows, burn_in=100, n_betas=100)
    assert estimate.low <= log_partition(rbm) <= estimate.high


def test_reverse_is_only_as_good_as_its_start():
    # rows of the unlikely mode, which no burn-in leaves: a confident wrong answer
    rbm = two_modes()
    rows = np.zeros((1, 10))
    estimate = ais(rbm, np.random.default_rng(0), direction="reverse", start=rows, n_betas=20)
    assert estimate.high < log_partition(rbm) - 1


def test_large_machines_start_reverse_chains_from_the_data(rng):
    rbm = RBM.random(30, 20, rng, scale=0.1, dtype=np.float64)
    data = rng.random((40, 30))
    both = ais_both(rbm, rng, data=data, n_betas=100, burn_in=50)
    assert both.overlap


def test_a_large_reverse_walk_without_rows_is_refused(rng):
    with pytest.raises(ValueError, match="pass data=.* or start="):
        ais(RBM.random(30, 20, rng), rng, direction="reverse")


def test_grey_rows_are_no_draws_of_the_model(rng):
    rbm = random_rbm(rng, 4, 3)
    with pytest.raises(ValueError, match="start holds values between the states"):
        ais(rbm, rng, direction="reverse", start=np.full((2, 4), 0.5), burn_in=0)


# ---- schedules, seeds, refusals


def test_the_long_schedule_has_14500_rising_temperatures():
    betas = salakhutdinov_murray_betas()
    assert len(check_betas(betas)) == 14_500
    assert ((betas < 0.5).sum(), (betas < 0.9).sum()) == (500, 4500)


def test_a_schedule_of_one_s_own_is_used(rng):
    rbm = random_rbm(rng, 6, 4)
    by_number = ais(rbm, np.random.default_rng(1), n_betas=20)
    by_hand = ais(rbm, np.random.default_rng(1), betas=uniform_betas(20))
    late = ais(rbm, np.random.default_rng(1), betas=uniform_betas(20) ** 0.5)
    assert by_hand.value == by_number.value != late.value
    assert by_hand.n_betas == 20


def test_the_same_seed_gives_the_same_bits(rng):
    rbm = random_rbm(rng, 6, 4)
    one, two = (ais(rbm, np.random.default_rng(7), n_betas=20) for _ in range(2))
    np.testing.assert_array_equal(one.log_weights, two.log_weights)


def test_the_machine_is_left_as_it_was(rng):
    rbm = random_rbm(rng, 6, 4)
    before = rbm.copy()
    ais_both(rbm, rng, n_betas=200, max_gap=100)
    for name in "Wbc":
        np.testing.assert_array_equal(getattr(rbm, name), getattr(before, name))


@pytest.mark.parametrize("betas", [[0, 0.5], [0.1, 1], [0, 0.6, 0.5, 1], [0, 0.5, 0.5, 1], [1.0]])
def test_betas_must_rise_from_0_to_1(betas, rng):
    with pytest.raises(ValueError, match="betas must rise from 0 to 1, got"):
        ais(random_rbm(rng, 4, 3), rng, betas=betas)


@pytest.mark.parametrize("hidden", ["gaussian", "relu"])
def test_a_machine_without_finite_z_is_refused_with_the_reason(hidden, rng):
    rbm = RBM(np.ones((2, 2)), visible="gaussian", hidden=hidden)
    with pytest.raises(NotNormalisableError, match="largest singular value 2; .* infinite"):
        ais(rbm, rng)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_chains": 1}, "n_chains must be at least 2"),
        ({"n_betas": 1}, "n_betas must be at least 2"),
        ({"direction": "up"}, "direction must be one of"),
        ({"data": np.zeros((3, 5))}, "data must have length 4"),
        ({"direction": "reverse", "start": np.zeros((3, 4)), "burn_in": -1}, "burn_in must be"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message, rng):
    with pytest.raises(ValueError, match=message):
        ais(random_rbm(rng, 4, 3), rng, **settings)
