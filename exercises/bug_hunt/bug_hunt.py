"""The bug hunt: programs that run, look right, and are wrong. Each carries one error or two.

Each docstring says what its function is meant to do, and is right. Find what the code does instead,
and mend it; how to hunt is told in task.md. Check yourself with

    course check bug_hunt

Rows are examples. W has shape (units below, units above), b belongs to the units below and c to
those above. The four helpers at the top are right. You may import NumPy and the standard library.
"""

from __future__ import annotations

import numpy as np

# ---- helpers, without errors


def logistic(x: np.ndarray) -> np.ndarray:
    """σ(x) = 1 / (1 + exp(−x)), for fields of any size."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def draw(p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """States: each is 1 with its probability p, else 0."""
    return (rng.random(p.shape) < p).astype(float)


def all_states(n_units: int) -> np.ndarray:
    """The 2ⁿ states of n binary units, one a row."""
    return np.indices((2,) * n_units).reshape(n_units, -1).T.astype(float)


def cd_step(
    v: np.ndarray, W: np.ndarray, b: np.ndarray, c: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The new W, b and c after one step of CD-1 on the rows of v, in means: nothing is drawn."""
    h = logistic(v @ W + c)
    v_back = logistic(h @ W.T + b)
    h_back = logistic(v_back @ W + c)
    W = W + rate * (v.T @ h - v_back.T @ h_back) / len(v)
    b = b + rate * (v - v_back).mean(axis=0)
    c = c + rate * (h - h_back).mean(axis=0)
    return W, b, c


# ---- images and labels


def split(
    images: np.ndarray, labels: np.ndarray, n_train: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cut labelled images into a part to train on and a part to test on, each in random order.

    Each image is in one of the parts, once, and keeps its label. Any n_train of the images are as
    likely to be trained on as any others.

    Parameters
    ----------
    images : array of shape (n_examples, n_pixels)
    labels : array of shape (n_examples,)
    n_train : how many images to train on
    rng : the only source of randomness

    Returns
    -------
    training images, training labels, test images, test labels
    """
    order = rng.permutation(len(images))
    train, test = order[:n_train], order[n_train:]
    train_images, train_labels = images[train], labels[train]
    test_images, test_labels = images[test], labels[test]
    rng.shuffle(train_images)
    return train_images, train_labels, test_images, test_labels


def held_out_error(
    images: np.ndarray, labels: np.ndarray, n_test: int, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """How well the label of the nearest known image predicts that of an image nobody has seen.

    n_test different images are drawn and held out; the others are known. Each of the held-out
    images is given the label of the known image that is nearest to it (by squared distance).

    Parameters
    ----------
    images : array of shape (n_examples, n_pixels)
    labels : array of shape (n_examples,)
    n_test : how many images to hold out
    rng : the only source of randomness

    Returns
    -------
    rows : the numbers of the held-out images, of shape (n_test,)
    error : which share of them, from 0 to 1, is given a wrong label
    """
    rows = rng.choice(len(images), size=n_test, replace=False)
    n_wrong = 0
    for row in rows:
        distances = ((images - images[row]) ** 2).sum(axis=1)
        n_wrong += labels[distances.argmin()] != labels[row]
    return rows, n_wrong / n_test


def noisy_copies(
    images: np.ndarray, n_copies: int, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Copies of black and white images, in which each pixel is flipped with the same probability.

    For each copy one of the images is drawn, all of them equally likely, again and again.

    Parameters
    ----------
    images : array of shape (n_examples, n_pixels), of 0 and 1
    n_copies : how many copies to make
    share : the probability that a pixel is flipped, for each pixel independently
    rng : the only source of randomness: equal generators give equal copies, in any call

    Returns
    -------
    array of shape (n_copies, n_pixels), of 0 and 1
    """
    rows = rng.integers(len(images), size=n_copies)
    flipped = NOISE.random((n_copies, images.shape[1])) < share
    return np.abs(images[rows] - flipped)


NOISE = np.random.default_rng(2006)


# ---- networks


def start_weights(sizes: list[int], rng: np.random.Generator) -> list[np.ndarray]:
    """Weights from which a network of rectified units, however deep and wide, can learn.

    They are independent normal draws around 0, of such a size that a layer hands on, on average,
    the mean square of its input: activations neither die out nor explode on their way up. (Biases
    are 0; half of the units are off.)

    Parameters
    ----------
    sizes : number of units in each layer, that of the input first
    rng : the only source of randomness

    Returns
    -------
    a list of arrays, one between each layer and the next, of shape (units below, units above)
    """
    shapes = [(sizes[n], sizes[n + 1]) for n in range(len(sizes) - 1)]
    return [0.1 * rng.standard_normal(shape) for shape in shapes]


def layer_activations(
    x: np.ndarray,
    W1: np.ndarray,
    b1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    W3: np.ndarray,
    b3: np.ndarray,
    layer: int,
    activation: str,
) -> np.ndarray:
    """What the units of one layer say to examples: f(aW + b), where a is the layer below.

    All layers have the same f.

    Parameters
    ----------
    x : array of shape (n_examples, n_in)
    W1, b1, W2, b2, W3, b3 : the weights and biases of the layers 1, 2 and 3
    layer : 1, 2 or 3, the layer to be looked at
    activation : the name of f, wherever it comes from: "relu", "tanh" or "sigmoid"

    Returns
    -------
    array of shape (n_examples, units of the layer)
    """
    layers = [(W1, b1), (W2, b2), (W3, b3)]
    a = x
    for W, b in layers[: layer + 1]:
        z = a @ W + b
        if activation is RELU:
            a = np.maximum(0, z)
        elif activation is TANH:
            a = np.tanh(z)
        else:
            a = logistic(z)
    return a


RELU, TANH = "relu", "tanh"


def log_loss(z: np.ndarray, t: np.ndarray) -> float:
    """The mean over all entries of −t log p − (1 − t) log(1 − p), with p = σ(z).

    It is exact for any field, and finite also where |z| is as large as 10,000.

    Parameters
    ----------
    z : array of any shape, fields
    t : array of the same shape, targets from 0 to 1

    Returns
    -------
    a number, in nats
    """
    p = 1 / (1 + np.exp(-z))
    return float(-np.mean(t * np.log(p) + (1 - t) * np.log(1 - p)))


def backward(
    x: np.ndarray,
    t: np.ndarray,
    W1: np.ndarray,
    b1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    W3: np.ndarray,
    b3: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The slopes of the loss in all parameters of a network of sigmoids, by backpropagation.

        a¹ = σ(xW¹ + b¹)     a² = σ(a¹W² + b²)     y = σ(a²W³ + b³)

    The loss is the mean over the rows of −Σ (t log y + (1 − t) log(1 − y)), a sum over outputs.

    Parameters
    ----------
    x : array of shape (n_examples, n_in)
    t : array of shape (n_examples, n_out), targets 0 or 1
    W1, b1, W2, b2, W3, b3 : the network

    Returns
    -------
    ∂L/∂W¹, ∂L/∂b¹, ∂L/∂W², ∂L/∂b², ∂L/∂W³, ∂L/∂b³, each of the shape of its parameter
    """
    a1 = logistic(x @ W1 + b1)
    a2 = logistic(a1 @ W2 + b2)
    y = logistic(a2 @ W3 + b3)
    error3 = (y - t) / len(x)
    error2 = error3 @ W3.T
    error1 = (error2 * a2 * (1 - a2)) @ W2.T
    return (
        *(x.T @ error1, error1.sum(axis=0)),
        *(a1.T @ error2, error2.sum(axis=0)),
        *(a2.T @ error3, error3.sum(axis=0)),
    )


def epoch(
    x: np.ndarray, t: np.ndarray, w: np.ndarray, rate: float, batch_size: int
) -> tuple[np.ndarray, float]:
    """Pass once over the rows, in their order, with a step of logistic regression a minibatch.

    A minibatch has batch_size rows, but for the last, which has what is left. Each step goes
    against the mean, over the rows of its own minibatch, of the slope of their loss
    −t log p − (1 − t) log(1 − p), with p = σ(xw).

    Parameters
    ----------
    x : array of shape (n_examples, n_in)
    t : array of shape (n_examples,), targets 0 or 1
    w : array of shape (n_in,), the weights at the start
    rate : the learning rate
    batch_size : number of rows of a minibatch

    Returns
    -------
    the new w, and the mean over all rows of the loss that each had just before its own step
    """
    total = 0.0
    for start in range(0, len(x), batch_size):
        rows = slice(start, start + batch_size)
        z = x[rows] @ w
        total += np.sum(np.logaddexp(0, z) - t[rows] * z)
        w = w - rate * x[rows].T @ (logistic(z) - t[rows]) / batch_size
    return w, float(total / start)


def fit_with_decay(
    x: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    b: float,
    n_steps: int,
    rate: float,
    decay: float,
) -> tuple[np.ndarray, float]:
    """Linear regression with weight decay, by gradient descent over all rows.

    Each step goes, at the learning rate, against the slope of

        L = (mean over the rows of ½ (xw + b − y)²) + ½ decay Σ w²

    Parameters
    ----------
    x : array of shape (n_examples, n_in)
    y : array of shape (n_examples,)
    w, b : the weights, of shape (n_in,), and the bias at the start
    n_steps : how many steps to take
    rate, decay : the learning rate, and the strength of weight decay

    Returns
    -------
    the new w and b
    """
    w = (1 - rate * decay) * w
    for _ in range(n_steps):
        error = x @ w + b - y
        w, b = w - rate * x.T @ error / len(x), b - rate * error.mean()
    return w, b


# ---- Boltzmann machines


def train_boltzmann(
    x: np.ndarray, J: np.ndarray, b: np.ndarray, n_steps: int, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood for a Boltzmann machine without hidden units, by the exact gradient.

    E(x) = −½ x'Jx − b'x, with J symmetric and 0 on its diagonal. Each step goes, at the learning
    rate, along ⟨xᵢxⱼ⟩_data − ⟨xᵢxⱼ⟩_model for each Jᵢⱼ off the diagonal, and ⟨xᵢ⟩_data − ⟨xᵢ⟩_model
    for each bᵢ, both taken before the step.

    Parameters
    ----------
    x : array of shape (n_examples, n_units), of 0 and 1
    J : array of shape (n_units, n_units), the couplings at the start
    b : array of shape (n_units,), the biases at the start
    n_steps : how many steps to take
    rate : the learning rate

    Returns
    -------
    the new J and b; the arguments stay as they are
    """
    states = all_states(len(b))
    pairs = 1 - np.eye(len(b))
    parameters = [J, b]
    for _ in range(n_steps):
        J, b = parameters
        weights = np.exp(0.5 * np.sum(states @ J * states, axis=1) + states @ b)
        p = weights / weights.sum()
        slopes = [
            pairs * (x.T @ x / len(x) - states.T @ (p[:, None] * states)),
            x.mean(axis=0) - p @ states,
        ]
        for parameter, slope in zip(parameters, slopes, strict=True):
            parameter = parameter + rate * slope
    return parameters[0], parameters[1]


def gibbs_chain(
    v: np.ndarray,
    W: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
    n_steps: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Block Gibbs sampling in an RBM, a chain for each row of v.

    In each step first all h are drawn from p(h | v), and then all v from p(v | h).

    Parameters
    ----------
    v : array of shape (n_chains, n_visible), of 0 and 1, where the chains start
    W, b, c : the RBM
    n_steps : how many steps to take, at least 1
    rng : the only source of randomness

    Returns
    -------
    v : the states in which the chains end, of shape (n_chains, n_visible), of 0 and 1
    h : those from which they were drawn, of shape (n_chains, n_hidden), of 0 and 1
    """
    for _ in range(n_steps):
        h = logistic(v @ W + c)
        v = draw(logistic(h @ W.T + b), rng)
    return v, h


def train_rbm(
    v: np.ndarray,
    W: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
    n_epochs: int,
    batch_size: int,
    rate: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train an RBM by minibatches: in each epoch every row is used once, in the order of the rows.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    W, b, c : the RBM at the start
    n_epochs : how often to go through the rows
    batch_size : rows of a minibatch, each of which is one `cd_step`; the last has what is left
    rate : the learning rate

    Returns
    -------
    the new W, b and c
    """
    n_batches = max(1, batch_size // len(v))
    for _ in range(n_epochs):
        for batch in np.array_split(v, n_batches):
            W, b, c = cd_step(batch, W, b, c, rate)
    return W, b, c


# ---- deep belief networks


def pretrain(
    v: np.ndarray,
    W1: np.ndarray,
    b1: np.ndarray,
    c1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    c2: np.ndarray,
    n_steps: int,
    rate: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Greedy pretraining of two RBMs, one upon the other.

    The first is trained on v by n_steps of `cd_step`. Then the second is trained in the same way on
    the means of the first one's hidden units.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    W1, b1, c1, W2, b2, c2 : the two RBMs at the start
    n_steps : how many steps to take with each
    rate : the learning rate

    Returns
    -------
    the new W1, b1, c1, W2, b2 and c2
    """
    rbms = [[W1, b1, c1], [W2, b2, c2]]
    data = v
    for rbm in rbms:
        for _ in range(n_steps):
            rbm[:] = cd_step(v, *rbm, rate)
        W, _, c = rbm
        data = logistic(data @ W + c)
    return (*rbms[0], *rbms[1])


def reconstruct(
    v: np.ndarray,
    W1: np.ndarray,
    b1: np.ndarray,
    c1: np.ndarray,
    W2: np.ndarray,
    b2: np.ndarray,
    c2: np.ndarray,
) -> np.ndarray:
    """What two RBMs, one upon the other, make of images: up through both, and down again.

    Each layer gets the means of the layer before it, and hands on its own.

    Parameters
    ----------
    v : array of shape (n_examples, n_visible)
    W1, b1, c1, W2, b2, c2 : the two RBMs

    Returns
    -------
    array of the shape of v, of probabilities
    """
    rng = np.random.default_rng(1)
    h1 = draw(logistic(v @ W1 + c1), rng)
    h2 = draw(logistic(h1 @ W2 + c2), rng)
    h1 = draw(logistic(h2 @ W2.T + b2), rng)
    return draw(logistic(h1 @ W1.T + b1), rng)
