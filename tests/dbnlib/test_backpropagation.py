"""The fast passes against the plain ones, which are themselves held against finite differences."""

import tracemalloc

import numpy as np
import pytest

from dbnlib.backpropagation import Backpropagation
from dbnlib.losses import LOSSES
from dbnlib.network import Network

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}
OUTPUTS = [(output, loss.name) for loss in LOSSES.values() for output in loss.outputs]


def example(sizes, dtype, n_rows=25, **options):
    rng = np.random.default_rng(0)
    network = Network.random(sizes, rng, initialisation="he", dtype=dtype, **options)
    x, y = rng.standard_normal((n_rows, sizes[0])), rng.dirichlet(np.ones(sizes[-1]), n_rows)
    return network, x.astype(dtype), y.astype(dtype)


def passes_through(network, x, y, rows, *, batch_size=10, dropout=None):
    """The buffers after a minibatch has gone forward and backward."""
    passes = Backpropagation(network, batch_size, dropout or [0.0] * network.n_layers)
    passes.load(x, y, rows)
    passes.draw_masks(np.random.default_rng(3))
    passes.forward()
    passes.backward()
    return passes


def assert_equals_plain(passes, x, y, rows):
    masks = [None if mask is None else mask[: len(rows)] for mask in passes.masks]
    network = passes.network
    dW, db = network.gradients(x[rows], y[rows], masks=masks)
    for fast, plain in zip(passes.dW + passes.db, dW + db, strict=True):
        error = np.abs(fast - plain).max() / np.abs(plain).max()
        assert error < TOLERANCE[network.dtype.type]
        assert fast.dtype == network.dtype
    assert passes.loss() == pytest.approx(network.loss(x[rows], y[rows], masks=masks), rel=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu", "identity"])
def test_every_hidden_activation_as_in_the_plain_form(hidden, dtype):
    network, x, y = example([6, 5, 4, 3], dtype, hidden=hidden)
    rows = np.arange(3, 13)
    assert_equals_plain(passes_through(network, x, y, rows), x, y, rows)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
def test_every_output_and_loss_as_in_the_plain_form(output, loss, dtype):
    network, x, y = example([6, 5, 3], dtype, output=output, loss=loss)
    rows = np.arange(10)[::-1]
    assert_equals_plain(passes_through(network, x, y, rows), x, y, rows)


@pytest.mark.parametrize("sizes", [[6, 3], [6, 5, 3], [6, 5, 5, 5, 5, 3]])
def test_every_depth_as_in_the_plain_form(sizes):
    network, x, y = example(sizes, np.float64)
    rows = np.arange(10)
    assert_equals_plain(passes_through(network, x, y, rows), x, y, rows)


def test_the_same_masks_as_in_the_plain_form():
    network, x, y = example([6, 5, 5, 3], np.float64)
    rows = np.arange(10)
    passes = passes_through(network, x, y, rows, dropout=[0.2, 0.0, 0.5])
    assert [mask is None for mask in passes.masks] == [False, True, False]
    assert_equals_plain(passes, x, y, rows)


def test_known_error_03_a_short_last_batch_is_divided_by_its_own_length():
    """After a full batch, so that the buffers' other rows hold its remains."""
    network, x, y = example([6, 5, 3], np.float64)
    passes = passes_through(network, x, y, np.arange(10), dropout=[0.2, 0.5])
    short = np.arange(20, 24)
    passes.load(x, y, short)
    passes.draw_masks(np.random.default_rng(4))
    passes.forward()
    passes.backward()
    assert_equals_plain(passes, x, y, short)


def test_the_passes_make_no_array_as_large_as_a_layer():
    network, x, y = example([300, 200, 200, 10], np.float32, n_rows=100)
    passes = passes_through(network, x, y, np.arange(100), batch_size=100)
    tracemalloc.start()
    passes.forward()
    passes.backward()
    passes.loss()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 200 * 4 / 2
