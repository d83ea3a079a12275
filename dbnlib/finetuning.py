"""From a DBN to a feed-forward network, which backpropagation then fine-tunes.

The recognition pass of a DBN is a network already: each layer's mean given the one below. With an
output layer on top it becomes a classifier or a regressor; unrolled, up and down again, it
becomes an autoencoder. The weights of a label unit in the top RBM, if there is one, are left out.

Source: Hinton and Salakhutdinov (2006); Bengio et al. (2007).
"""

from __future__ import annotations

import numpy as np

from dbnlib.checks import check_choice, check_count, check_kind
from dbnlib.dbn import DBN
from dbnlib.layers import initialise
from dbnlib.network import Network
from dbnlib.rbm import RBM
from dbnlib.units import Bernoulli, Gaussian, ReLU, Units

#: activation that gives (for ReLU: nearly gives) the mean of such units
ACTIVATIONS: dict[type[Units], str] = {Bernoulli: "sigmoid", Gaussian: "identity", ReLU: "relu"}
#: loss that goes with each output activation
LOSSES = {
    "softmax": "categorical_cross_entropy",
    "sigmoid": "binary_cross_entropy",
    "identity": "squared_error",
}


def activation_of(units: Units) -> str:
    """The activation with which a network's layer does what these units do.

    It is their mean given the field; for rectified units max(0, x), their most probable value.
    Raises ValueError for label units and groups, which have no place inside a network.
    """
    if type(units) not in ACTIVATIONS:
        raise ValueError(f"a layer of a feed-forward network cannot be made of {units!r}")
    return ACTIVATIONS[type(units)]


def network_from_dbn(
    dbn: DBN,
    n_outputs: int,
    rng: np.random.Generator,
    *,
    output: str = "softmax",
    initialisation: str = "glorot",
) -> Network:
    """The recognition pass with an output layer on top, sharing no memory with the DBN.

    Parameters
    ----------
    n_outputs : width of the output layer
    output : its activation, 'softmax', 'sigmoid' or 'identity'; the loss is the one that fits
    initialisation : how its weights start, see `dbnlib.layers.initialise`
    """
    check_kind("dbn", dbn, DBN)
    check_choice("output", output, tuple(LOSSES))
    n_outputs = check_count("n_outputs", n_outputs)
    upward = [*dbn.recognition, _without_label(dbn)]
    head = initialise(dbn.top.n_hidden, n_outputs, initialisation, rng, dbn.dtype)
    return Network(
        [rbm.W for rbm in upward] + [head],
        [rbm.c for rbm in upward] + [np.zeros(n_outputs, dbn.dtype)],
        [activation_of(rbm.hidden) for rbm in upward] + [output],
        loss=LOSSES[output],
    )


def _without_label(dbn: DBN) -> RBM:
    """The top RBM, or what is left of it when its label unit is taken away."""
    if not dbn.n_labels:
        return dbn.top
    n = dbn.rbms[-2].n_hidden
    units = {"visible": dbn.rbms[-2].hidden, "hidden": dbn.top.hidden}
    return RBM(dbn.top.W[:n], dbn.top.b[:n], dbn.top.c, **units)


def autoencoder_from_dbn(dbn: DBN) -> Network:
    """Up and down again: hˡ = f(c + hˡ⁻¹W) to the code, then hˡ⁻¹ = f(b + hˡW') to the image.

    The middle layer is the code. The decoder's weights start as the encoder's transposed, and
    are free of them from then on. The loss is the cross-entropy for Bernoulli visible units and
    the squared error for Gaussian ones.

    Source: Hinton and Salakhutdinov (2006), figure 1.
    """
    check_kind("dbn", dbn, DBN)
    top = _without_label(dbn)
    up, down = [*dbn.recognition, top], [top, *dbn.rbms[-2::-1]]
    output = activation_of(dbn.rbms[0].visible)
    if output == "relu":
        raise ValueError("an autoencoder needs Bernoulli or Gaussian visible units, not ReLU")
    return Network(
        [rbm.W for rbm in up] + [rbm.W.T for rbm in down],
        [rbm.c for rbm in up] + [rbm.b for rbm in down],
        [activation_of(rbm.hidden) for rbm in up] + [activation_of(rbm.visible) for rbm in down],
        loss=LOSSES[output],
    )
