"""Schedules by their values at chosen epochs."""

import pickle

import numpy as np
import pytest

from dbnlib.schedules import check_schedule, constant, exponential, linear, step, value_at


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (constant(0.5), [0.5, 0.5, 0.5, 0.5]),
        (linear(1.0, 0.0, 2), [1.0, 0.5, 0.0, 0.0]),
        (linear(0.5, 0.9, 4), [0.5, 0.6, 0.7, 0.8]),
        (step(0.5, 0.9, 2), [0.5, 0.5, 0.9, 0.9]),
        (exponential(8.0, 0.5), [8.0, 4.0, 2.0, 1.0]),
    ],
)
def test_values_in_the_first_four_epochs(schedule, values):
    np.testing.assert_allclose([schedule(epoch) for epoch in range(4)], values)


def test_equal_schedules_have_the_same_repr_which_says_how_to_make_them():
    assert repr(linear(1, 0, 3)) == repr(linear(1.0, np.float32(0), np.int64(3)))
    assert repr(linear(1, 0, 3)) == "linear(start=1.0, end=0.0, epochs=3)"


def test_a_schedule_survives_pickling_as_workers_of_scikit_learn_need():
    assert pickle.loads(pickle.dumps(step(0.5, 0.9, 5))) == step(0.5, 0.9, 5)


@pytest.mark.parametrize(
    "given", [0.5, np.float64(0.5), constant(0.5), lambda epoch: np.ones(1)[0]]
)
def test_value_is_a_python_float_so_that_float32_arrays_stay_float32(given):
    assert type(value_at(given, 3)) is float


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: linear(1.0, 0.0, 0), ValueError),
        (lambda: linear(1.0, np.nan, 3), ValueError),
        (lambda: step(0.5, 0.9, 1.5), TypeError),
        (lambda: exponential("a", 0.5), TypeError),
        (lambda: check_schedule("learning_rate", -0.1, 0), ValueError),
        (lambda: check_schedule("learning_rate", linear(-0.1, 0.0, 3), 0), ValueError),
        (lambda: check_schedule("learning_rate", "fast", 0), TypeError),
    ],
)
def test_bad_settings_are_refused(make, error):
    with pytest.raises(error):
        make()
