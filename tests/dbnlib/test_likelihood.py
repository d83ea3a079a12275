"""The importance-weighted bound and the report, against sums over all states."""

import itertools
import json

import numpy as np
import pytest

from dbnlib.bound import estimate_bound, exact_bound, exact_log_likelihood
from dbnlib.checks import NotNormalisableError
from dbnlib.dbn import DBN
from dbnlib.exact import log_likelihood, log_partition
from dbnlib.likelihood import describe_generator, evaluate, importance_weighted_bound
from dbnlib.log_z import DirectionsDisagreeWarning
from dbnlib.rbm import RBM


def random_rbm(rng, n_visible, n_hidden, scale=1.0):
    W = scale * rng.normal(size=(n_visible, n_hidden))
    return RBM(W, rng.normal(size=n_visible), rng.normal(size=n_hidden))


def all_states(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


@pytest.fixture
def dbn(rng):
    return DBN([random_rbm(rng, 4, 3), random_rbm(rng, 3, 2), random_rbm(rng, 2, 3)])


# ---- the importance-weighted bound


def test_it_rises_with_the_number_of_weights_towards_the_likelihood(dbn, rng):
    v = all_states(4)
    means = [
        importance_weighted_bound(dbn, v, rng, n_samples=k, n_repeats=2000 // k).mean
        for k in (1, 5, 25, 500)
    ]
    exact = exact_log_likelihood(dbn, v).mean()
    assert exact_bound(dbn, v).mean() < exact - 0.3
    assert (np.diff(means) > 0).all()
    assert means[-1] == pytest.approx(exact, abs=0.02)


def test_with_one_weight_it_is_the_elbo(dbn, rng):
    v = all_states(4)
    one = importance_weighted_bound(dbn, v, rng, n_samples=1, n_repeats=2000)
    error = (one.value - exact_bound(dbn, v)) / one.standard_error
    assert abs(error).max() < 4.5


def test_with_one_weight_it_is_the_estimated_elbo_draw_for_draw(dbn):
    v = all_states(4)
    one = importance_weighted_bound(dbn, v, np.random.default_rng(5), n_samples=1, n_repeats=50)
    elbo = estimate_bound(dbn, v, np.random.default_rng(5), n_samples=50)
    np.testing.assert_allclose(one.value, elbo.value)
    np.testing.assert_allclose(one.standard_error, elbo.standard_error)


def test_two_weights_by_a_sum_over_all_pairs_and_an_honest_standard_error(rng):
    lower, top = random_rbm(rng, 4, 3), random_rbm(rng, 3, 2)
    v, h = all_states(4), all_states(3)
    log_q = lower.hidden.log_probability(h, lower.hidden_field(v))
    log_w = lower.visible.log_probability(v, lower.visible_field(h)).T
    log_w = log_w + log_likelihood(top, h)[:, None] - log_q
    # E[log ½ (w₁ + w₂)] = Σ q(h₁) q(h₂) log ½ (w(h₁) + w(h₂))
    pair = np.log(0.5 * (np.exp(log_w)[:, None] + np.exp(log_w)[None, :]))
    exact = np.einsum("iv,jv,ijv->v", np.exp(log_q), np.exp(log_q), pair).mean()
    z = []
    for seed in range(100):
        run = importance_weighted_bound(
            DBN([lower, top]), v, np.random.default_rng(seed), n_samples=2, n_repeats=10
        )
        z.append((run.mean - exact) / run.mean_standard_error)
    assert abs(np.mean(z)) < 0.35
    assert 0.75 < np.std(z) < 1.3


def test_of_a_single_rbm_it_is_the_likelihood_itself(rbm, rng):
    v = all_states(4)
    bound = importance_weighted_bound(DBN([rbm]), v, rng, n_samples=3)
    np.testing.assert_allclose(bound.value, log_likelihood(rbm, v))


def test_a_given_log_z_shifts_it(dbn):
    v = all_states(4)
    z = log_partition(dbn.top)
    plain, shifted = (
        importance_weighted_bound(dbn, v, np.random.default_rng(1), top_log_z=z + shift).value
        for shift in (0, 2)
    )
    np.testing.assert_allclose(shifted, plain - 2)


# ---- the report


@pytest.fixture
def rows(rng):
    return rng.integers(0, 2, size=(40, 4)), rng.integers(0, 2, size=(15, 4))


def test_a_small_rbm_is_reported_exactly(rbm, rows, rng):
    train, held_out = rows
    report = evaluate(rbm, train, held_out, rng)
    assert report.method == "enumeration, exact"
    assert report.log_z == report.log_z_low == report.log_z_high == log_partition(rbm)
    for name, v in (("train", train), ("held out", held_out)):
        line, values = report["log p(v)", name], log_likelihood(rbm, v)
        assert line.n_rows == len(v)
        assert line.mean == line.low == line.high == pytest.approx(values.mean())
        assert line.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(len(v)))


@pytest.mark.parametrize("reverse", [False, True])
def test_an_annealed_log_z_gives_an_interval_that_holds_the_truth(reverse, rbm, rows, rng):
    train, held_out = rows
    report = evaluate(rbm, train, held_out, rng, log_z="ais", reverse=reverse, n_betas=50)
    assert "AIS, 100 chains × 50 temperatures: forward" in report.method
    assert ("reverse" in report.method) == reverse
    assert report.log_z_low <= log_partition(rbm) <= report.log_z_high
    for name, v in (("train", train), ("held out", held_out)):
        line = report["log p(v)", name]
        assert line.low < line.mean < line.high
        assert line.low <= log_likelihood(rbm, v).mean() <= line.high
        # a larger Z makes smaller probabilities: the ends change places
        assert line.high - line.mean == pytest.approx(report.log_z - report.log_z_low)
        assert line.mean - line.low == pytest.approx(report.log_z_high - report.log_z)


def test_a_small_dbn_has_its_likelihood_and_bound_reported_exactly(dbn, rows, rng):
    train, held_out = rows
    report = evaluate(dbn, train, held_out, rng)
    assert report["log p(v)", "train"].mean == pytest.approx(
        exact_log_likelihood(dbn, train).mean()
    )
    assert report["bound", "held out"].mean == pytest.approx(exact_bound(dbn, held_out).mean())


def test_a_dbn_with_annealed_log_z_has_an_estimate_of_the_bound(dbn, rows, rng):
    train, _ = rows
    report = evaluate(dbn, train, None, rng, log_z="ais", n_betas=100, n_samples=50)
    assert [line.quantity for line in report.lines] == [
        "estimate of the bound",
        "estimate of the bound, 50 importance weights",
    ]
    bound, weighted = report.lines
    assert bound.low <= exact_bound(dbn, train).mean() <= bound.high
    assert bound.mean < weighted.mean
    assert weighted.low < exact_log_likelihood(dbn, train).mean() + 0.2


def test_a_dbn_with_a_label_is_reported_with_the_label_summed_out(labelled, p_v_y, rng):
    v = np.array(list(itertools.product([0.0, 1.0], repeat=4)))
    log_p = np.log(p_v_y.sum(axis=1)).mean()
    assert evaluate(labelled, v, None, rng)["log p(v)", "train"].mean == pytest.approx(log_p)
    estimate = evaluate(labelled, v, None, rng, log_z="ais", n_samples=500, progress=False)
    line = estimate["estimate of the bound, 500 importance weights", "train"]
    assert line.low - 0.02 <= log_p <= line.high + 0.02


def test_a_wide_dbn_with_a_small_top_has_a_bound_that_is_one(rng):
    dbn = DBN([random_rbm(rng, 6, 30, 0.2), random_rbm(rng, 30, 3, 0.2)])
    few, many = (evaluate(dbn, all_states(6), None, rng, n_samples=n) for n in (5, 2000))
    assert few.method == "enumeration, exact"
    assert [line.quantity for line in few.lines] == ["bound", "bound, 5 importance weights"]
    # the interval is that of the draws
    bound = few["bound", "train"]
    assert bound.low < many["bound", "train"].mean < bound.high
    assert bound.high - bound.low < 2


def test_reports_follow_the_seed(dbn, rows):
    texts = [
        repr(evaluate(dbn, *rows, np.random.default_rng(9), log_z="ais", n_betas=20))
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert "random numbers: PCG64 from seed 9\n" in texts[0]


def test_the_table_is_aligned(rbm, rows, rng):
    text = str(evaluate(rbm, *rows, rng)).split("\n")
    assert text[0] == repr(rbm)
    assert text[1] == f"log Z = {log_partition(rbm):.2f}"
    assert text[4].split() == ["nats", "rows", "number", "mean", "±", "s.e.", "low", "high"]
    assert len({len(line) for line in text[4:]}) == 1
    assert f"{log_likelihood(rbm, rows[0]).mean():.2f}" in text[5]


def test_the_report_is_plain_data_too(rbm, rows, rng):
    report = evaluate(rbm, *rows, rng)
    again = json.loads(json.dumps(report.as_dict()))
    assert again["lines"][1]["rows"] == "held out"
    assert again["lines"][0]["mean"] == report["log p(v)", "train"].mean


def test_a_float32_model_is_reported(rows, rng):
    dbn = DBN([RBM.random(4, 3, rng), RBM.random(3, 2, rng)])
    report = evaluate(dbn, *rows, rng, log_z="ais", n_betas=50)
    # weights are nearly zero: every image has probability 2⁻⁴
    assert report.lines[0].mean == pytest.approx(-4 * np.log(2), abs=0.1)


def test_generators_are_described_with_their_children():
    child = np.random.default_rng(3).spawn(2)[1]
    assert describe_generator(child) == "PCG64 from seed 3, child 1"
    assert describe_generator(np.random.Generator(np.random.SFC64(4))) == "SFC64 from seed 4"


def test_directions_that_disagree_are_told(rng):
    bias = np.full(10, -4.85)
    rbm = RBM(np.ones((10, 10)), bias, bias)
    with pytest.warns(DirectionsDisagreeWarning):
        report = evaluate(rbm, np.zeros((5, 10)), None, rng, log_z="ais", reverse=True, n_betas=20)
    # the interval spans both
    assert report.log_z_low < log_partition(rbm) < report.log_z_high


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": np.full((2, 4), 0.5)}, "train holds values between the states"),
        ({"held_out": np.full((2, 4), 0.5)}, "held_out holds values between the states"),
        ({"log_z": "guess"}, "log_z must be one of"),
        ({"n_samples": 1}, "n_samples must be at least 2"),
    ],
)
def test_input_out_of_range_is_refused(change, message, rbm, rng):
    arguments = {"train": np.zeros((2, 4)), "held_out": None, "rng": rng} | change
    with pytest.raises(ValueError, match=message):
        evaluate(rbm, **arguments)


def test_only_models_can_be_evaluated(rng):
    with pytest.raises(TypeError, match="model must be an RBM or a DBN"):
        evaluate("rbm", np.zeros((2, 4)), None, rng)


def test_a_model_without_a_likelihood_is_refused(rng):
    rbm = RBM(np.ones((2, 2)), visible="gaussian", hidden="gaussian")
    with pytest.raises(NotNormalisableError):
        evaluate(rbm, np.zeros((2, 2)), None, rng)


def test_a_line_that_is_not_there_is_named(rbm, rows, rng):
    with pytest.raises(KeyError, match="it has"):
        evaluate(rbm, *rows, rng)["bound", "train"]


@pytest.mark.parametrize("n_rows", [1, 10, 30, 64])
def test_of_few_rows_the_weights_are_drawn_often_enough_for_an_interval(n_rows, rng, monkeypatch):
    drawn = []

    def spy(dbn, v, rng, **settings):
        drawn.append(len(v) * (settings["n_repeats"] - 1))
        return importance_weighted_bound(dbn, v, rng, **settings)

    monkeypatch.setattr("dbnlib.likelihood.importance_weighted_bound", spy)
    dbn = DBN([random_rbm(rng, 6, 25), random_rbm(rng, 25, 2)])
    evaluate(dbn, all_states(6)[:n_rows], None, rng, n_samples=2)
    assert drawn[0] == {1: 30, 10: 30, 30: 30, 64: 64}[n_rows]


def test_the_standard_error_of_one_row_is_none_in_json(rbm, rng):
    report = evaluate(rbm, np.zeros((1, 4)), None, rng)
    lines = json.loads(json.dumps(report.as_dict(), allow_nan=False))["lines"]
    assert lines[0]["standard_error"] is None


def test_a_direction_is_refused(rbm, rng):
    with pytest.raises(TypeError, match="with reverse=True in both directions; drop direction"):
        evaluate(rbm, np.zeros((2, 4)), None, rng, direction="reverse")
