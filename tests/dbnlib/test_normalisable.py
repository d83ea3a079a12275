"""Which machines have a finite Z: by growth of the Boltzmann factor along a ray, and by units."""

import itertools

import numpy as np
import pytest

from dbnlib.checks import NotNormalisableError
from dbnlib.groups import Groups
from dbnlib.normalisable import check_normalisable, largest_coupling
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, Gaussian, ReLU, Softmax

KINDS = ["bernoulli", "softmax", "gaussian", "relu"]
STRONG = 5 * np.ones((3, 2))


@pytest.mark.parametrize(("visible", "hidden"), list(itertools.product(KINDS, KINDS)))
def test_strong_weights_are_fine_where_one_layer_is_bounded(visible, hidden):
    rbm = RBM(STRONG, visible=visible, hidden=hidden)
    if {visible, hidden} & {"bernoulli", "softmax"}:
        check_normalisable(rbm)
    else:
        with pytest.raises(NotNormalisableError, match="largest singular value 12.25"):
            check_normalisable(rbm)


@pytest.mark.parametrize("visible", ["gaussian", "relu"])
@pytest.mark.parametrize("hidden", ["gaussian", "relu"])
def test_a_refused_machine_has_a_ray_along_which_weights_grow(visible, hidden):
    # along the first singular vectors, which are positive here, −E does not fall
    rbm = RBM(1.01 / np.sqrt(6) * np.ones((3, 2)), visible=visible, hidden=hidden)
    with pytest.raises(NotNormalisableError):
        check_normalisable(rbm)
    far = [rbm.energy([[t / np.sqrt(3)] * 3], [[t / np.sqrt(2)] * 2])[0] for t in (10, 100, 1000)]
    assert (np.diff(far) < 0).all()


@pytest.mark.parametrize("visible", ["gaussian", "relu"])
@pytest.mark.parametrize("hidden", ["gaussian", "relu"])
def test_just_below_one_is_accepted(visible, hidden):
    check_normalisable(RBM(0.99 / np.sqrt(6) * np.ones((3, 2)), visible=visible, hidden=hidden))


def test_rectified_units_that_inhibit_each_other_are_accepted():
    check_normalisable(RBM(-STRONG, visible="relu", hidden="relu"))


def test_the_sign_does_not_save_gaussian_units():
    with pytest.raises(NotNormalisableError):
        check_normalisable(RBM(-STRONG, visible="gaussian", hidden="relu"))


def test_rectified_units_keep_the_smaller_of_two_norms():
    # 0.91 times a reflection: cutting off its one negative entry raises the norm above 1
    W = 0.91 * np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    assert np.linalg.norm(W, 2) < 1 < np.linalg.norm(np.maximum(W, 0), 2)
    assert largest_coupling(RBM(W, visible="relu", hidden="relu")) == pytest.approx(
        np.linalg.norm(W, 2)
    )


def test_only_unbounded_members_of_a_group_count():
    W = np.vstack([STRONG, 0.1 * np.ones((1, 2))])
    rbm = RBM(W, visible=Groups([Bernoulli(3), Gaussian(1)]), hidden="relu")
    assert largest_coupling(rbm) == pytest.approx(0.1 * np.sqrt(2))


def test_a_rectified_member_has_its_own_sign_rule():
    W = np.array([[0.5, 0.0], [-3.0, 0.2]])
    hidden = Groups([ReLU(1), Bernoulli(1)])
    assert largest_coupling(
        RBM(W, visible=Groups([Gaussian(1), ReLU(1)]), hidden=hidden)
    ) == pytest.approx(0.5)


def test_the_message_says_what_to_do():
    with pytest.raises(NotNormalisableError, match="Scale W down, or make one of the layers"):
        check_normalisable(RBM(STRONG, visible="gaussian", hidden="gaussian"))


def test_groups_in_groups_are_their_members():
    nested = Groups([Groups([Bernoulli(3), ReLU(2)]), Softmax(2)])
    assert nested == Groups([Bernoulli(3), ReLU(2), Softmax(2)])
    rbm = RBM(np.ones((7, 1)), visible=nested, hidden="relu")
    # the two rectified units are the unbounded ones: ‖(1, 1)‖
    assert largest_coupling(rbm) == pytest.approx(np.sqrt(2))
