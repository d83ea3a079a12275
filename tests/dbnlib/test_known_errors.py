"""Errors that are copied from one deep-learning text to the next, and that ours must not have.

Each test is named after its error; where a number is missing here, or has more to it, it is tested
where the code is:

==  ==================================================  ==========================================
no  the error                                           tested in
==  ==================================================  ==========================================
1   images are shuffled and their labels are not        here; test_data (a_dataset_cannot_be_
                                                        shuffled…, a_split_keeps_labels…)
2   the hidden layers' deltas lack σ'(z)                test_network
3   a short last batch is divided by the nominal size,  test_network, test_backpropagation,
    the loss by a row number                            test_network_training
4   the whole training set is one batch, so that 100    here
    steps are all the training there is
5   the test images are among the training images       here; test_data (the_parts_of_a_split…)
6   the reconstruction samples at every layer           here
7   no lateral weights, `train` that trains nothing,    here; test_pretraining (each_layer_is_
    `sample` that returns probabilities, `fine_tune`    trained_on…), test_training (one_step_of_
    that is `pass`, layers that never see the data      plain_ascent…)
    of the layer below
8   overflow in exp(−x), log 0, NaN without a word      here; test_losses, test_network,
                                                        test_network_training, test_units
9   randomness without a seed, or of the whole process  here
10  starting weights of one size whatever the width     test_network_training
11  "weight decay" that is a smaller start, a picture   here; test_training, test_network_training
    of another layer than it says, `is "relu"`, calls   (…decay…), test_style (ruff)
    of functions that are defined nowhere
==  ==================================================  ==========================================
"""

import random

import numpy as np
import pytest
from matplotlib import pyplot as plt

import dbnlib
from dbnlib import (
    CD,
    DBN,
    PCD,
    PT,
    RBM,
    SGD,
    BoltzmannMachine,
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    Network,
    RBMTransformer,
    ais,
    data,
    estimate_bound,
    exact_bound,
    importance_weighted_bound,
    log_likelihood,
    parallel_tempering,
    plots,
    pretrain_dbn,
    pseudo_log_likelihood,
    train_network,
    train_rbm,
)
from dbnlib.boltzmann_training import SampledPhases, train_boltzmann
from dbnlib.sampling import record_chain

IMAGES, LABELS = data.digits().images, data.digits().labels


@pytest.fixture(scope="module")
def black_and_white():
    """1437 digits to train on, and 360 others."""
    parts = data.digits().split(1437, np.random.default_rng(0))
    return [data.binarise(part.images) for part in parts]


def wrong_pixels(model, v, rng=None):
    """How many of the 64 pixels of an image come back wrong, on average over the rows of v."""
    return ((model.reconstruct(v, rng=rng) >= 0.5) != (v >= 0.5)).sum(axis=1).mean()


# ---- 1: images are shuffled and their labels are not


def test_known_error_01_parts_of_parts_keep_every_label_with_its_image():
    """No two digits are alike, so that an image says which label is its own."""
    digits, rng = data.digits(), np.random.default_rng(0)
    label_of = {image.tobytes(): label for image, label in zip(IMAGES, LABELS, strict=True)}
    first, second = digits.split(0.7, rng)
    third, fourth = first.subset(rng.permutation(len(first))[:900]).split(300, rng, stratify=False)
    for part in (second, third, fourth):
        assert [label_of[image.tobytes()] for image in part.images] == part.labels.tolist()


def test_known_error_01_the_pairs_are_as_good_in_any_order():
    """Training shuffles in every epoch. What broke the pairs then would leave chance, 10 %."""
    train, test = data.digits().split(800, np.random.default_rng(0))
    order = np.random.default_rng(1).permutation(len(train))
    model = DBNClassifier((40,), pretraining_epochs=5, epochs=15, scaling="global", random_state=0)

    def score(images, labels):
        return model.fit(images, labels).score(test.images, test.labels)

    as_they_came = score(train.images, train.labels)
    assert as_they_came > 0.9
    assert abs(score(train.images[order], train.labels[order]) - as_they_came) < 0.03
    assert score(train.images[order], train.labels) < 0.3


def test_known_error_01_nobodys_arrays_are_shuffled_in_place():
    """The error itself was an in-place shuffle of the images, after labels had been taken."""
    images, labels, rng = IMAGES[:60].copy(), LABELS[:60].copy(), np.random.default_rng(0)
    data.Dataset(images, labels, (8, 8)).split(0.5, rng)
    train_rbm(RBM.random(64, 5, rng), images, epochs=1, rng=rng)
    pretrain_dbn(images, [5, 4], epochs=1, rng=rng)
    network = Network.random([64, 10], rng)
    train_network(network, images, labels, epochs=1, rng=rng, optimiser=SGD(0.1))
    small = {"hidden_sizes": (5,), "pretraining_epochs": 1, "epochs": 1, "random_state": 0}
    DBNClassifier(**small, validation_fraction=0.5).fit(images, labels, images)
    DBNRegressor(**small, n_members=2).fit(images, labels, images)
    np.testing.assert_array_equal(images, IMAGES[:60])
    np.testing.assert_array_equal(labels, LABELS[:60])


# ---- 4: the whole training set is one batch


class Counting(CD):
    """CD-1 that notes the number of rows of each minibatch it is asked about."""

    def start(self, *args):
        super().start(*args)
        self.n_rows = []

    def gradient(self, rbm, v, rng, *, scale=1.0):
        self.n_rows.append(len(v))
        return super().gradient(rbm, v, rng, scale=scale)


def test_known_error_04_an_epoch_is_many_updates_that_use_each_row_once(black_and_white):
    """By default a minibatch has 100 rows; the last one of 1437 has 37."""
    v, _ = black_and_white
    gradient, rng = Counting(), np.random.default_rng(0)
    train_rbm(RBM.random(64, 5, rng), v, epochs=2, rng=rng, gradient=gradient, monitors={})
    assert gradient.n_rows == 2 * (14 * [100] + [37])


def test_known_error_04_too_few_updates_and_not_too_much_data(black_and_white):
    """100 steps in batches of all rows leave 11 wrong pixels of 64, 1008 in small ones leave 4.

    And the small ones took 14 passes over the images, the large ones 100.
    """
    v, unseen = black_and_white
    wrong = {}
    for epochs, batch_size in ((100, len(v)), (14, 20)):
        rng = np.random.default_rng(0)
        rbm = RBM.random(64, 64, rng, data=v)
        train_rbm(rbm, v, epochs=epochs, batch_size=batch_size, rng=rng, monitors={})
        wrong[batch_size] = wrong_pixels(rbm, unseen)
    assert wrong[len(v)] > 9
    assert wrong[20] < 5


# ---- 5: the test images are among the training images


def test_known_error_05_parts_of_a_split_have_no_image_in_common():
    parts = data.digits().split(0.8, np.random.default_rng(0))
    first, second = ({image.tobytes() for image in part.images} for part in parts)
    assert len(first) + len(second) == 1797
    assert not first & second


def test_known_error_05_images_seen_in_training_say_nothing_of_others(black_and_white):
    """20 images are learned by heart: none of their pixels is wrong, and 6 of an unseen image's."""
    v, unseen = black_and_white
    rng = np.random.default_rng(0)
    rbm = RBM.random(64, 64, rng, data=v[:20])
    train_rbm(rbm, v[:20], epochs=1000, rng=rng, monitors={})
    assert wrong_pixels(rbm, v[:20]) < 0.1
    assert wrong_pixels(rbm, unseen) > 5


def test_known_error_05_held_out_rows_are_watched_and_not_learned(black_and_white):
    v, unseen = (part[:100] for part in black_and_white)
    y = LABELS[:100]
    results = []
    for held_out in (False, True):
        rng = np.random.default_rng(0)
        rbm = RBM.random(64, 5, rng)
        train_rbm(rbm, v, epochs=2, rng=rng, held_out=unseen if held_out else None)
        dbn, _ = pretrain_dbn(v, [5, 4], epochs=2, rng=rng, held_out=unseen if held_out else None)
        network = Network.random([64, 10], rng)
        pair = (unseen, y) if held_out else None
        train_network(network, v, y, epochs=2, rng=rng, optimiser=SGD(0.1), held_out=pair)
        results.append([rbm.W, dbn.top.W, network.weights[0]])
    for without, with_held_out in zip(*results, strict=True):
        np.testing.assert_array_equal(without, with_held_out)


# ---- 6: the reconstruction samples at every layer


def test_known_error_06_means_mirror_better_than_draws_at_every_layer(black_and_white):
    """Through two layers and back: 4.7 wrong pixels of 64 with means, 7.2 with draws."""
    v, unseen = black_and_white
    rng = np.random.default_rng(0)
    dbn, _ = pretrain_dbn(v, [64, 32], rng=rng, epochs=20, batch_size=20, monitors={})
    with_means, with_draws = wrong_pixels(dbn, unseen), wrong_pixels(dbn, unseen, rng)
    assert with_means < 5.5
    assert with_draws > with_means + 1.5


def test_known_error_06_reconstructions_are_of_means_unless_draws_are_asked_for():
    rng = np.random.default_rng(0)
    lower, upper = RBM.random(64, 9, rng, scale=1), RBM.random(9, 5, rng, scale=1)
    means = lower.visible_mean(upper.visible_mean(upper.hidden_mean(lower.hidden_mean(IMAGES))))
    np.testing.assert_array_equal(DBN([lower, upper]).reconstruct(IMAGES), means)
    model = DBNTransformer((9,), pretraining_epochs=1, scaling=None, random_state=0).fit(IMAGES)
    rbm = model.dbn_.top
    means = rbm.visible_mean(rbm.hidden_mean(IMAGES))
    np.testing.assert_array_equal(model.reconstruct(IMAGES), means)


# ---- 7: functions that do not do what they are called


def trained_rbm(epochs):
    rng = np.random.default_rng(0)
    rbm = RBM.random(64, 5, rng)
    train_rbm(rbm, IMAGES[:100], epochs=epochs, rng=rng)
    return rbm.W, rbm.b, rbm.c


def trained_dbn(epochs):
    dbn, _ = pretrain_dbn(IMAGES[:100], [6, 5, 4], rng=np.random.default_rng(0), epochs=epochs)
    return [array for rbm in dbn.rbms for array in (rbm.W, rbm.b, rbm.c)]


def trained_machine(epochs):
    rng = np.random.default_rng(0)
    machine = BoltzmannMachine.random(9, 3, rng)
    train_boltzmann(machine, data.bars_and_stripes(3), epochs=epochs, rng=rng)
    return machine.J[np.triu_indices(12, 1)], machine.b


def trained_network(epochs):
    rng = np.random.default_rng(0)
    network = Network.random([64, 6, 5, 10], rng)
    settings = {"rng": rng, "optimiser": SGD(0.1)}
    train_network(network, IMAGES[:100] + 0.1, LABELS[:100], epochs=epochs, **settings)
    return network.weights + network.biases


@pytest.mark.parametrize("trained", [trained_rbm, trained_dbn, trained_machine, trained_network])
def test_known_error_07_training_changes_every_parameter(trained):
    """In the error, `train` computed two products and threw them away."""
    for before, after in zip(trained(0), trained(2), strict=True):
        assert (before != after).all()


def test_known_error_07_a_boltzmann_machine_has_and_trains_lateral_couplings():
    """In the error, a machine with no couplings inside a layer: an RBM under another name."""
    rng = np.random.default_rng(0)
    machine = BoltzmannMachine.random(9, 3, rng)
    before = machine.copy()
    phases = SampledPhases(n_chains=10, n_sweeps=1)
    train_boltzmann(machine, data.bars_and_stripes(3), epochs=3, rng=rng, phases=phases)
    for lateral in (slice(0, 9), slice(9, 12)):
        pairs = ~np.eye(len(before.J[lateral]), dtype=bool)
        start, end = before.J[lateral, lateral][pairs], machine.J[lateral, lateral][pairs]
        assert start.all()
        assert (start != end).all()


def test_known_error_07_samples_are_zeros_and_ones_as_often_as_the_model_says():
    """In the error, `sample_hidden` returned the probabilities."""
    rng = np.random.default_rng(0)
    rbm = RBM(rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=3))
    n, v, h = 20_000, np.array([1.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0])
    for draws, field in (
        (rbm.sample_hidden(np.tile(v, (n, 1)), rng), v @ rbm.W + rbm.c),
        (rbm.sample_visible(np.tile(h, (n, 1)), rng), rbm.W @ h + rbm.b),
    ):
        assert set(np.unique(draws)) == {0.0, 1.0}
        p = 1 / (1 + np.exp(-field))
        assert (np.abs(draws.mean(axis=0) - p) < 5 * np.sqrt(p * (1 - p) / n)).all()


def test_known_error_07_every_layer_of_a_network_draws_states_where_draws_are_asked_for():
    rng = np.random.default_rng(0)
    dbn = DBN([RBM.random(6, 4, rng), RBM.random(4, 3, rng)])
    v = rng.integers(0, 2, (50, 6))
    drawn = [*dbn.up(v, rng=rng), dbn.sample(50, rng, n_steps=2, pixels="sample")]
    assert [set(np.unique(layer)) for layer in drawn] == [{0.0, 1.0}] * 3


#: two hidden layers that learn something of 300 digits
TWO_LAYERS = {"hidden_sizes": (40, 20), "pretraining_epochs": 10, "batch_size": 20}


def test_known_error_07_fine_tuning_changes_every_layer_and_lowers_the_loss():
    """In the error, `fine_tune` was `pass`. (An input that is 0 in all images trains no weight.)"""
    model = DBNClassifier(**TWO_LAYERS, epochs=20, scaling=None, random_state=0)
    model.fit(IMAGES[:300], LABELS[:300])
    for tuned, pretrained in zip(model.networks_[0].weights, model.dbn_.rbms, strict=False):
        assert (tuned != pretrained.W).mean() > 0.8
    loss = model.histories_[0]["loss"]
    assert loss[-1] < 0.5 * loss[0]


def test_known_error_07_an_autoencoder_is_fine_tuned_up_and_down():
    before, after = (
        DBNAutoencoder(
            **TWO_LAYERS, epochs=epochs, learning_rate=0.01, scaling=None, random_state=0
        ).fit(IMAGES[:300])
        for epochs in (0, 20)
    )
    for network in ("encoder_", "decoder_"):
        pairs = zip(getattr(before, network).weights, getattr(after, network).weights, strict=True)
        assert all((start != end).mean() > 0.8 for start, end in pairs)
    errors = [np.square(m.reconstruct(IMAGES[:300]) - IMAGES[:300]).sum() for m in (before, after)]
    assert errors[1] < 0.8 * errors[0]


# ---- 8: overflow, and logarithms of 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_known_error_08_weights_of_ten_thousand_leave_every_quantity_finite(dtype):
    """Warnings are errors in these tests, so none of these may overflow on its way."""
    rng = np.random.default_rng(0)
    lower, upper = (RBM((1e4 * rng.normal(size=shape)).astype(dtype)) for shape in ((6, 4), (4, 3)))
    dbn, v, h = DBN([lower, upper]), rng.integers(0, 2, (20, 6)), rng.integers(0, 2, (20, 4))
    bound = estimate_bound(dbn, v, rng, n_samples=3)
    log_z = [ais(lower, rng, n_chains=5, n_betas=9, direction=d) for d in ("forward", "reverse")]
    quantities = [
        *(lower.energy(v, h), lower.free_energy(v), lower.free_energy_of_hidden(h)),
        *(lower.hidden_mean(v), lower.visible_mean(h), lower.reconstruct(v, rng=rng)),
        *(lower.sample_hidden(v, rng), lower.sample_visible(h, rng), lower.gibbs_step(v, rng)),
        *(log_likelihood(lower, v), pseudo_log_likelihood(lower, v), exact_bound(dbn, v)),
        *(bound.value, bound.standard_error, *dbn.up(v), dbn.down(dbn.up(v)[-1])),
        *(importance_weighted_bound(dbn, v, rng).value, parallel_tempering(lower, v, 2, rng)),
        *(estimate.log_weights for estimate in log_z),
    ]
    assert all(np.isfinite(quantity).all() for quantity in quantities)


def test_known_error_08_a_hopeless_state_has_the_right_tiny_probability():
    """Z = 3 + exp(10⁴), so p(v = 0) = 2/Z, whose logarithm is log 2 − 10⁴ to the last digit."""
    rbm = RBM([[1e4]])
    for log_p in (log_likelihood(rbm, [[0], [1]]), pseudo_log_likelihood(rbm, [[0], [1]])):
        np.testing.assert_allclose(log_p, [np.log(2) - 1e4, 0.0], rtol=1e-12)


# ---- 9: randomness of the whole process

FEW = {"hidden_sizes": (4,), "pretraining_epochs": 1}
PAIRS = (IMAGES[:40], LABELS[:40])


def bits():
    return np.random.default_rng(1).integers(0, 2, (10, 6))


def of_rbm(use):
    rng = np.random.default_rng(0)
    return use(RBM.random(6, 4, rng, scale=1), rng)


def of_dbn(use):
    rng = np.random.default_rng(0)
    return use(DBN([RBM.random(6, 4, rng, scale=1), RBM.random(4, 3, rng, scale=1)]), rng)


def after_training(rbm, rng, **settings):
    train_rbm(rbm, bits(), epochs=2, rng=rng, **settings)
    return rbm.W


def after_backpropagation(rng):
    network = Network.random([64, 9, 10], rng)
    settings = {"optimiser": SGD(0.1), "dropout": (0.2, 0.5)}
    train_network(network, *PAIRS, epochs=2, rng=rng, batch_size=7, **settings)
    return network.weights[0]


def after_phases(rng):
    machine = BoltzmannMachine.random(6, 2, rng)
    train_boltzmann(machine, bits(), epochs=2, rng=rng, phases=SampledPhases(5, 2))
    return machine.J


def with_seed(kind, **settings):
    return kind(**settings, random_state=0)


#: all that draws: each is a call with a fixed seed, and returns numbers
DRAWS = {
    "CD": lambda: of_rbm(after_training),
    "PCD": lambda: of_rbm(lambda rbm, rng: after_training(rbm, rng, gradient=PCD(2))),
    "monitors": lambda: of_rbm(
        lambda rbm, rng: after_training(rbm, rng, monitors=["pseudo_log_likelihood"])
    ),
    "samples": lambda: of_rbm(lambda rbm, rng: rbm.sample_hidden(bits(), rng)),
    "reconstruction": lambda: of_rbm(lambda rbm, rng: rbm.reconstruct(bits(), k=2, rng=rng)),
    "chain": lambda: of_rbm(lambda rbm, rng: record_chain(rbm, bits(), 3, rng)),
    "flips": lambda: of_rbm(
        lambda rbm, rng: pseudo_log_likelihood(rbm, bits(), n_flips=2, rng=rng)
    ),
    "other units": lambda: np.hstack(
        [
            RBM.random(6, 4, rng, hidden=units).sample_hidden(bits(), rng)
            for rng in [np.random.default_rng(0)]
            for units in ("gaussian", "softmax", "relu")
        ]
    ),
    "tempered": lambda: of_rbm(lambda rbm, rng: after_training(rbm, rng, gradient=PT(1))),
    "tempering": lambda: of_rbm(lambda rbm, rng: parallel_tempering(rbm, bits(), 2, rng)),
    "AIS": lambda: of_rbm(lambda rbm, rng: ais(rbm, rng, n_chains=5, n_betas=5).log_weights),
    "reverse AIS": lambda: of_rbm(
        lambda rbm, rng: ais(rbm, rng, n_chains=5, n_betas=5, direction="reverse").log_weights
    ),
    "importance weights": lambda: of_dbn(
        lambda dbn, rng: importance_weighted_bound(dbn, bits(), rng, n_samples=3).value
    ),
    "bound": lambda: of_dbn(lambda dbn, rng: estimate_bound(dbn, bits(), rng, n_samples=2).value),
    "dreams": lambda: of_dbn(lambda dbn, rng: dbn.sample(5, rng, n_steps=3, pixels="sample")),
    "greedy pretraining": lambda: (
        pretrain_dbn(bits(), [4, 3], epochs=1, upward="sample", rng=np.random.default_rng(0))[
            0
        ].top.W
    ),
    "backpropagation": lambda: after_backpropagation(np.random.default_rng(0)),
    "phases": lambda: after_phases(np.random.default_rng(0)),
    "split": lambda: data.digits().split(0.5, np.random.default_rng(0))[0].images,
    "moons": lambda: data.two_moons(20, 0.1, np.random.default_rng(0))[0],
    "binary digits": lambda: data.binarise_by_sampling(IMAGES[:9], np.random.default_rng(0)),
    "RBMTransformer": lambda: with_seed(RBMTransformer, n_components=4, epochs=1).fit_transform(
        IMAGES[:40]
    ),
    "DBNTransformer": lambda: (
        with_seed(DBNTransformer, **FEW).fit(IMAGES[:40]).sample(3, n_steps=2, random_state=0)
    ),
    "DBNClassifier": lambda: (
        with_seed(DBNClassifier, **FEW, epochs=1, validation_fraction=0.5)
        .fit(IMAGES[:100], LABELS[:100])
        .predict_proba(IMAGES[:9])
    ),
    "DBNRegressor": lambda: (
        with_seed(DBNRegressor, **FEW, epochs=1, n_members=2)
        .fit(*PAIRS)
        .predict(IMAGES[:9], return_std=True)[1]
    ),
    "DBNAutoencoder": lambda: with_seed(DBNAutoencoder, **FEW, epochs=1).fit_transform(IMAGES[:40]),
}


def draw_from_the_global_generators():
    """What somebody else does in between; no seed leads to where the generators stand then."""
    np.random.random(7)  # noqa: NPY002
    random.random()


def global_state():
    """Where NumPy's global generator and Python's stand."""
    return np.random.get_state(), random.getstate()  # noqa: NPY002


@pytest.mark.parametrize("name", DRAWS)
def test_known_error_09_the_same_seed_gives_the_same_numbers_after_any_other_draw(name):
    first = DRAWS[name]()
    draw_from_the_global_generators()
    np.testing.assert_array_equal(DRAWS[name](), first)


@pytest.mark.parametrize("name", DRAWS)
def test_known_error_09_nothing_draws_from_the_global_generators_or_seeds_them(name):
    draw_from_the_global_generators()
    before = global_state()
    DRAWS[name]()
    np.testing.assert_equal(global_state(), before)


@pytest.mark.parametrize(
    "kind", [RBMTransformer, DBNTransformer, DBNClassifier, DBNRegressor, DBNAutoencoder]
)
def test_known_error_09_without_a_seed_fits_differ_and_leave_the_global_generators_alone(kind):
    settings = {} if kind is RBMTransformer else FEW
    settings = settings if kind is DBNTransformer else {**settings, "epochs": 1}
    answers = []
    for _ in range(2):
        np.random.seed(0)  # noqa: NPY002  (the hope that this would make fits repeatable)
        draw_from_the_global_generators()
        before = global_state()
        model = kind(**settings).fit(*PAIRS)
        np.testing.assert_equal(global_state(), before)
        rbm = model.rbm_ if kind is RBMTransformer else model.dbn_.top
        answers.append(rbm.W)
    assert (answers[0] != answers[1]).any()


# ---- 11: names that promise what is not done


def decayed_rbm(decay, epochs):
    rng = np.random.default_rng(0)
    rbm = RBM.random(64, 10, rng, scale=0.1)
    train_rbm(rbm, IMAGES[:300], epochs=epochs, rng=rng, weight_decay=decay)
    return rbm.W


def decayed_layers(decay, epochs):
    rng = np.random.default_rng(0)
    dbn, _ = pretrain_dbn(IMAGES[:300], [10, 5], rng=rng, epochs=epochs, weight_decay=decay)
    return np.concatenate([rbm.W.ravel() for rbm in dbn.rbms])


def decayed_machine(decay, epochs):
    rng = np.random.default_rng(0)
    machine = BoltzmannMachine.random(9, 1, rng)
    v = data.bars_and_stripes(3)
    train_boltzmann(machine, v, epochs=10 * epochs, rng=rng, weight_decay=decay)
    return machine.J


def decayed_network(decay, epochs):
    rng = np.random.default_rng(0)
    network = Network.random([64, 10, 10], rng)
    settings = {"rng": rng, "optimiser": SGD(0.1, 0.9), "weight_decay": decay}
    train_network(network, IMAGES[:300], LABELS[:300], epochs=epochs, **settings)
    return np.concatenate([W.ravel() for W in network.weights])


def of_estimator(kind, setting):
    """A function to the weights that an estimator's setting decays: its RBM's, or its network's."""

    def weights(decay, epochs):
        tuning = setting == "weight_decay" and kind is not RBMTransformer
        settings = {"epochs": epochs if tuning or kind is RBMTransformer else 0}
        settings = {} if kind is DBNTransformer else settings
        if kind is not RBMTransformer:
            settings |= {"hidden_sizes": (10, 4), "pretraining_epochs": 0 if tuning else epochs}
        model = kind(**settings, **{setting: decay}, random_state=0).fit(IMAGES[:300], LABELS[:300])
        if tuning:
            return np.concatenate([W.ravel() for W in model.networks_[0].weights])
        return model.rbm_.W if kind is RBMTransformer else model.dbn_.rbms[0].W

    return weights


DECAYED = {
    "train_rbm": decayed_rbm,
    "pretrain_dbn": decayed_layers,
    "train_boltzmann": decayed_machine,
    "train_network": decayed_network,
    "RBMTransformer": of_estimator(RBMTransformer, "weight_decay"),
    "DBNTransformer": of_estimator(DBNTransformer, "pretraining_decay"),
    "DBNAutoencoder": of_estimator(DBNAutoencoder, "pretraining_decay"),
    "DBNClassifier, pretraining": of_estimator(DBNClassifier, "pretraining_decay"),
    "DBNClassifier, fine-tuning": of_estimator(DBNClassifier, "weight_decay"),
    "DBNRegressor, pretraining": of_estimator(DBNRegressor, "pretraining_decay"),
    "DBNRegressor, fine-tuning": of_estimator(DBNRegressor, "weight_decay"),
}


@pytest.mark.parametrize("name", DECAYED)
def test_known_error_11_weight_decay_acts_as_long_as_training_lasts(name):
    """A smaller start would show at once, and its effect would not grow with the epochs."""

    def shrunk(epochs):
        with_decay, without = (DECAYED[name](decay, epochs) for decay in (0.3, 0.0))
        return np.linalg.norm(with_decay) / np.linalg.norm(without)

    assert shrunk(0) == 1
    assert shrunk(10) < 0.6
    assert shrunk(20) < 0.8 * shrunk(10)


def test_known_error_11_the_picture_shows_the_weights_of_the_layer_it_was_given():
    """In the error, the picture of the second layer showed the third."""
    rng = np.random.default_rng(0)
    dbn = DBN([RBM.random(12, 6, rng), RBM.random(6, 5, rng)])
    for rbm, shape in zip(dbn.rbms, [(3, 4), (2, 3)], strict=True):
        figure = plots.filters(rbm.W, shape)
        shown = [axis.images[0].get_array() for axis in figure.axes if axis.images]
        plt.close(figure)
        np.testing.assert_array_equal(shown, [W.reshape(shape) for W in rbm.W.T])


def test_known_error_11_names_are_compared_by_their_letters():
    """`name is "relu"` holds for some strings that say relu and not for others."""

    def another(name):
        copy = "".join(list(name))
        assert copy is not name
        return copy

    results = []
    for same in (str, another):
        rng = np.random.default_rng(0)
        x = rng.normal(size=(20, 3)).astype(np.float32)
        names = {"hidden": same("relu"), "output": same("identity"), "loss": same("squared_error")}
        network = Network.random([3, 4, 2], rng, **names, initialisation=same("he"))
        rbm = RBM.random(3, 4, rng, visible=same("gaussian"), hidden=same("relu"))
        settings = {"visible": same("gaussian"), "start": same("transposed")}
        dbn, _ = pretrain_dbn(x, [4, 3], rng=rng, epochs=1, upward=same("sample"), **settings)
        model = DBNAutoencoder(
            (4,),
            pretraining_epochs=1,
            epochs=1,
            code=same("bernoulli"),
            visible=same("gaussian"),
            scaling=same("global"),
            random_state=0,
        )
        regressor = DBNRegressor(
            **FEW, epochs=1, optimiser=same("sgd"), n_members=1, random_state=0
        )
        results.append(
            [
                network.predict(x),
                rbm.sample_hidden(x, rng),
                dbn.down(dbn.up(x)[-1], rng=rng, pixels=same("sample")),
                model.fit_transform(x),
                regressor.fit(x, x[:, 0]).predict(x),
            ]
        )
    for literal, composed in zip(*results, strict=True):
        np.testing.assert_array_equal(literal, composed)


@pytest.mark.parametrize("name", dbnlib.__all__)
def test_known_error_11_every_name_that_is_promised_is_defined(name):
    assert getattr(dbnlib, name) is not None
