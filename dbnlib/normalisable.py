"""Which machines have a finite Z at all, and so a likelihood.

    Z = ∫∫ exp(b'v + c'h + v'Wh − r(v) − r(h)) dv dh

Bernoulli and softmax states are bounded, so a machine with such a layer on either side always has
a finite Z: given the bounded layer, the other one is a proper distribution. Where both layers are
unbounded, with r(u) = ½u², the quadratic form ½|v|² + ½|h|² − v'Wh must grow in every direction
that the units can take:

==================  ====================================================================
layers              Z is finite
==================  ====================================================================
one of them bounded always
Gaussian, Gaussian  if and only if ‖W‖ < 1, with ‖W‖ the largest singular value
Gaussian, ReLU      if ‖W‖ < 1 (sufficient: units ≥ 0 cannot take all directions)
ReLU, ReLU          if ‖W‖ < 1 or ‖max(W, 0)‖ < 1 (sufficient: there −v'Wh ≥ −v'max(W, 0)h)
==================  ====================================================================

In groups of layers the rule holds for the unbounded units among them.
The general form of such machines is from Welling, Rosen-Zvi, Hinton (2004).
"""

from __future__ import annotations

import numpy as np

from dbnlib.checks import NotNormalisableError, check_kind
from dbnlib.groups import Groups
from dbnlib.rbm import RBM
from dbnlib.units import ReLU, Units


def unbounded_units(units: Units) -> tuple[np.ndarray, np.ndarray]:
    """Two bool masks of shape (n,): the units without an upper bound, and the ReLUs among them."""
    members = units.members if isinstance(units, Groups) else [units]
    unbounded = [np.full(member.n, np.isinf(member.high)) for member in members]
    rectified = [np.full(member.n, isinstance(member, ReLU)) for member in members]
    return np.concatenate(unbounded), np.concatenate(rectified)


def largest_coupling(rbm: RBM) -> float:
    """‖W‖ of the couplings between unbounded units; 0 where there are none.

    Where ReLUs meet, the smaller of ‖W‖ and ‖max(W, 0)‖: a negative coupling of two units ≥ 0
    only lowers the weight of a state. Below 1 it makes Z finite.
    """
    v_unbounded, v_rectified = unbounded_units(rbm.visible)
    h_unbounded, h_rectified = unbounded_units(rbm.hidden)
    if not (v_unbounded.any() and h_unbounded.any()):
        return 0.0
    W = rbm.W[np.ix_(v_unbounded, h_unbounded)].astype(np.float64)
    both = np.ix_(v_rectified[v_unbounded], h_rectified[h_unbounded])
    clipped = W.copy()
    clipped[both] = np.maximum(W[both], 0)
    return float(min(np.linalg.norm(W, 2), np.linalg.norm(clipped, 2)))


def check_normalisable(rbm: RBM) -> None:
    """Raise NotNormalisableError unless Z is certainly finite."""
    check_kind("rbm", rbm, RBM)
    coupling = largest_coupling(rbm)
    if coupling >= 1:
        raise NotNormalisableError(
            f"{rbm!r} has unbounded units on both sides, and their weights have the largest "
            f"singular value {coupling:.4g}; from 1 upward Z is infinite, or not certainly finite. "
            "Scale W down, or make one of the layers Bernoulli"
        )
