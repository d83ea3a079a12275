"""What users do with the estimators: pipelines, searches, unlabelled rows, files, a spread."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import dbnlib
from dbnlib.data import digits, two_moons
from dbnlib.estimator_base import generator_from
from dbnlib.estimators import (
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    DBNTransformer,
    RBMTransformer,
)
from dbnlib.loop import InterruptedTrainingWarning
from dbnlib.rbm import RBM
from dbnlib.scaling import Scaling

FAST = {"hidden_sizes": (40,), "pretraining_epochs": 3, "scaling": "global", "random_state": 0}


@pytest.fixture(scope="module")
def images():
    return digits().images[:600]


@pytest.fixture(scope="module")
def labels():
    return digits().labels[:600]


@pytest.fixture(scope="module")
def classifier(images, labels):
    return DBNClassifier(**FAST, epochs=20).fit(images, labels)


@pytest.fixture(scope="module")
def fitted(images, labels, classifier):
    """One fitted estimator of each kind, by name, with the call whose result is compared."""
    return {
        "classifier": (classifier, "predict_proba"),
        "regressor": (DBNRegressor(**FAST, epochs=5).fit(images, labels), "predict"),
        "dbn": (DBNTransformer(**FAST).fit(images), "transform"),
        "rbm": (RBMTransformer(20, epochs=2, random_state=0).fit(images), "transform"),
        "autoencoder": (DBNAutoencoder(**FAST, epochs=3).fit(images), "reconstruct"),
    }


KINDS = ["classifier", "regressor", "dbn", "rbm", "autoencoder"]


# ---- classifier


def test_it_classifies_digits_it_has_not_seen(classifier):
    unseen = digits()
    assert classifier.score(unseen.images[600:], unseen.labels[600:]) > 0.85


def test_probabilities_are_probabilities_and_predict_takes_the_largest(classifier, images):
    p = classifier.predict_proba(images)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(classifier.classes_[p.argmax(axis=1)], classifier.predict(images))


@pytest.mark.parametrize("names", [("no", "yes"), (-1, 1), (1.0, 2.0)], ids=str)
def test_labels_of_any_kind_come_back_as_they_were(names, rng):
    points, y = two_moons(100, 0.05, rng)
    labels = np.array(names)[y]
    model = DBNClassifier((20,), epochs=100, random_state=0).fit(points, labels)
    assert set(model.predict(points)) == set(labels)
    assert model.score(points, labels) > 0.8


def test_minus_one_is_an_ordinary_label(rng):
    # in scikit-learn's semi-supervised estimators −1 means unlabelled; not here
    points, y = two_moons(100, 0.05, rng)
    model = DBNClassifier((20,), epochs=10, random_state=0).fit(points, np.where(y, 1, -1))
    assert model.classes_.tolist() == [-1, 1]


def test_unlabelled_rows_join_the_pretraining_and_nothing_else(images, labels, monkeypatch):
    seen = {}

    def spy(name, where, original):
        def call(*arguments, **settings):
            seen[name] = [np.asarray(a) for a in arguments if isinstance(a, np.ndarray)]
            return original(*arguments, **settings)

        monkeypatch.setattr(where, call)

    from dbnlib.network_training import train_network
    from dbnlib.pretraining import pretrain_dbn

    spy("pretraining", "dbnlib.estimator_base.pretrain_dbn", pretrain_dbn)
    spy("fine-tuning", "dbnlib.predictor_base.train_network", train_network)
    settings = {**FAST, "scaling": None}
    DBNClassifier(**settings, epochs=1).fit(images[:50], labels[:50], X_unlabelled=images[50:])
    np.testing.assert_array_equal(seen["pretraining"][0], images)
    np.testing.assert_array_equal(seen["fine-tuning"][0], images[:50])
    np.testing.assert_array_equal(seen["fine-tuning"][1], labels[:50])


def test_images_and_labels_stay_together_when_rows_are_held_out(images, labels):
    # known error 1: images shuffled, labels not; then nothing can be learned
    model = DBNClassifier(**FAST, epochs=30, validation_fraction=0.3, patience=5)
    model.fit(images, labels)
    assert model.score(images, labels) > 0.9
    assert "held_out_loss" in model.histories_[0].names


def test_early_stopping_ends_before_the_last_epoch(images, labels):
    model = DBNClassifier(
        **FAST, epochs=500, learning_rate=0.5, validation_fraction=0.3, patience=3
    ).fit(images, labels)
    assert model.histories_[0].stopped_early
    assert len(model.histories_[0]) < 500


def test_members_average_their_probabilities(images, labels):
    model = DBNClassifier(**FAST, epochs=3, n_members=3).fit(images, labels)
    x = model.scaling_.transform(images.astype(float)).astype(np.float32)
    expected = np.mean([network.predict(x) for network in model.networks_], axis=0)
    np.testing.assert_allclose(model.predict_proba(images), expected, rtol=1e-6)
    assert len({network.weights[-1].tobytes() for network in model.networks_}) == 3


def test_the_dbn_stays_as_pretraining_left_it(images, labels):
    few, many = (DBNClassifier(**FAST, epochs=n).fit(images, labels) for n in (0, 5))
    np.testing.assert_array_equal(few.dbn_.rbms[0].W, many.dbn_.rbms[0].W)
    assert (few.networks_[0].weights[0] != many.networks_[0].weights[0]).any()


def test_one_class_is_refused(images):
    with pytest.raises(ValueError, match="one class only, 3; a classifier needs at least two"):
        DBNClassifier(**FAST).fit(images[:5], [3] * 5)


# ---- regressor


def noisy_line(rng, n):
    x = rng.uniform(-1, 1, size=(n, 2))
    return x, 3 * x[:, 0] - x[:, 1] + rng.normal(scale=0.5, size=n)


def test_the_spread_covers_as_many_targets_as_it_says(rng):
    x, y = noisy_line(rng, 400)
    model = DBNRegressor((30,), random_state=0).fit(x, y)
    new_x, new_y = noisy_line(rng, 1000)
    mean, spread = model.predict(new_x, return_std=True)
    covered = np.mean(abs(new_y - mean) < 1.645 * spread)
    # 90 % wanted; the spread is a little wide, since out-of-bag means are of fewer members, and
    # their residual holds the error of the model too
    assert 0.86 < covered < 0.97
    assert 0.4 < model.noise_[0] < 0.7


def test_the_spread_is_wider_where_there_are_no_rows(rng):
    x = rng.uniform(0, 1, size=(300, 1))
    x = x[(x[:, 0] < 0.35) | (x[:, 0] > 0.65)]
    model = DBNRegressor((30,), epochs=500, learning_rate=0.1, random_state=0)
    model.fit(x, np.sin(6 * x[:, 0]))
    _, spread = model.predict([[0.2], [0.5], [0.8]], return_std=True)
    assert spread[1] > 1.5 * max(spread[0], spread[2])


def test_held_out_rows_are_in_no_members_bootstrap_sample_and_not_out_of_bag(rng, monkeypatch):
    from dbnlib.network_training import train_network

    splits = []

    def spy(network, x, y, *, held_out, **settings):
        splits.append((x[:, 0], held_out[0][:, 0]))
        return train_network(network, x, y, held_out=held_out, **settings)

    monkeypatch.setattr("dbnlib.predictor_base.train_network", spy)
    x, y = np.linspace(0, 1, 100)[:, None], rng.random(100)
    model = DBNRegressor((4,), pretraining_epochs=1, epochs=2, validation_fraction=0.3, n_members=2)
    outside = []
    monkeypatch.setattr(model, "_out_of_bag_noise", lambda *a: outside.extend(a[3]))
    model.fit(x, y)
    for (trained_on, held_out), left_out in zip(splits, outside, strict=True):
        scaled = x[left_out, 0].astype(np.float32)
        assert len(held_out) == 30
        assert len(trained_on) == 70
        # a bootstrap sample of 70 rows leaves a third of them out, and the three parts are all rows
        assert 15 < len(left_out) < 36
        parts = [set(part.tolist()) for part in (trained_on, held_out, scaled)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 100


def test_several_targets_keep_their_shape_and_units(rng):
    x, y = noisy_line(rng, 300)
    both = np.column_stack([y, 1000 + 100 * y])
    model = DBNRegressor((30,), random_state=0).fit(x, both)
    mean, spread = model.predict(x, return_std=True)
    assert mean.shape == spread.shape == both.shape
    assert model.score(x, both) > 0.85


def test_one_network_has_no_spread(rng):
    x, y = noisy_line(rng, 50)
    model = DBNRegressor((10,), epochs=2, n_members=1, random_state=0).fit(x, y)
    assert model.predict(x).shape == (50,)
    with pytest.raises(ValueError, match="one network has no spread"):
        model.predict(x, return_std=True)


# ---- transformers and autoencoder


def test_transform_is_the_machines_hidden_mean(fitted, images):
    model, _ = fitted["rbm"]
    v = model.scaling_.transform(images.astype(float))
    np.testing.assert_allclose(model.transform(images), model.rbm_.hidden_mean(v), atol=1e-6)


def test_features_make_a_linear_classifier_better_when_labels_are_few():
    data = digits()
    few = np.arange(100)
    features = DBNTransformer((200,), pretraining_epochs=40, scaling="global", random_state=0).fit(
        data.images
    )
    plain = LogisticRegression(max_iter=2000).fit(data.images[few], data.labels[few])
    learned = LogisticRegression(max_iter=2000)
    learned.fit(features.transform(data.images[few]), data.labels[few])
    rest = np.arange(600, 1797)
    # pretrained features must not be worse than pixels by more than a point
    assert (
        learned.score(features.transform(data.images[rest]), data.labels[rest])
        > plain.score(data.images[rest], data.labels[rest]) - 0.01
    )


def test_reconstructions_are_in_the_units_of_the_data(images):
    in_sixteenths = images * 16
    model = DBNTransformer((100,), pretraining_epochs=40, scaling="global", random_state=0).fit(
        in_sixteenths
    )
    mirrored = model.inverse_transform(model.transform(in_sixteenths))
    np.testing.assert_allclose(mirrored, model.reconstruct(in_sixteenths), rtol=1e-4, atol=1e-4)
    error = np.square(in_sixteenths - mirrored).mean() / in_sixteenths.var()
    assert error < 0.25


def test_samples_are_in_the_units_of_the_data_and_seeded(images):
    model = DBNTransformer(**FAST).fit(images * 16)
    samples = model.sample(5, n_steps=20, random_state=1)
    assert samples.shape == (5, 64)
    assert 2 < samples.max() <= 16
    np.testing.assert_array_equal(samples, model.sample(5, n_steps=20, random_state=1))


def test_free_energy_is_higher_for_noise_than_for_digits(images, rng):
    model = RBMTransformer(50, scaling="global", random_state=0).fit(images)
    noise = rng.permuted(images, axis=1)
    assert model.free_energy(noise).mean() > model.free_energy(images).mean() + 10


def test_the_autoencoder_beats_pca_with_as_many_numbers():
    data = digits()
    train, test = data.images[:1400], data.images[1400:]
    model = DBNAutoencoder(
        (200, 8), pretraining_epochs=[40, 40], epochs=150, scaling="global", random_state=0
    ).fit(train)
    assert model.transform(test).shape == (len(test), 8)
    pca = PCA(8).fit(train)
    ours = np.square(test - model.reconstruct(test)).sum(axis=1).mean()
    theirs = np.square(test - pca.inverse_transform(pca.transform(test))).sum(axis=1).mean()
    assert ours < 0.9 * theirs


# ---- all of them


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_estimator_gives_the_same_bits(kind, fitted, images, tmp_path):
    model, method = fitted[kind]
    again = dbnlib.load(dbnlib.save(tmp_path / "model", model))
    assert type(again) is type(model)
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(getattr(again, method)(images), getattr(model, method)(images))


def test_a_loaded_classifier_has_labels_and_history(images, tmp_path):
    words = np.array(["zero", "one", "two"])[np.arange(90) % 3]
    model = DBNClassifier(**FAST, epochs=2).fit(images[:90], words)
    again = dbnlib.load(dbnlib.save(tmp_path / "model", model))
    np.testing.assert_array_equal(again.predict(images), model.predict(images))
    np.testing.assert_array_equal(again.histories_[0]["loss"], model.histories_[0]["loss"])


def test_labels_that_only_pickle_could_store_are_refused_by_name(images, tmp_path):
    model = DBNClassifier(**FAST, epochs=1).fit(images[:20], ["zero", "one"] * 10)
    model.classes_ = np.array(["zero", None], dtype=object)
    with pytest.raises(dbnlib.StorageError, match="classes_.*convert it to numbers or strings"):
        dbnlib.save(tmp_path / "model", model)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bits(kind, fitted, images, labels):
    model, method = fitted[kind]
    again = clone(model).fit(images, labels)
    np.testing.assert_array_equal(getattr(again, method)(images), getattr(model, method)(images))


@pytest.mark.parametrize("kind", KINDS)
def test_an_unfitted_estimator_says_so(kind, fitted, images):
    model, method = fitted[kind]
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        getattr(clone(model), method)(images)


def test_pipeline_and_grid_search_and_pandas_output(images, labels):
    pipeline = make_pipeline(
        DBNTransformer((20,), pretraining_epochs=2, scaling="global", random_state=0),
        LogisticRegression(max_iter=300),
    ).set_output(transform="pandas")
    search = GridSearchCV(
        pipeline, {"dbntransformer__hidden_sizes": [(10,), (30,)]}, cv=2, error_score="raise"
    ).fit(images, labels)
    assert search.best_params_ == {"dbntransformer__hidden_sizes": (30,)}
    frame = search.best_estimator_[:-1].transform(images)
    assert list(frame.columns[:2]) == ["dbntransformer0", "dbntransformer1"]


def test_a_search_over_the_classifiers_own_settings(images, labels):
    search = GridSearchCV(DBNClassifier(**FAST), {"epochs": [1, 20]}, cv=2, error_score="raise")
    assert search.fit(images, labels).best_params_ == {"epochs": 20}


def test_a_killed_fit_goes_on_from_its_checkpoints(images, labels, tmp_path, monkeypatch):
    settings = {**FAST, "hidden_sizes": (20, 10), "epochs": 4}
    straight = DBNClassifier(**settings).fit(images, labels)

    import dbnlib.network_training as module

    original = module.NetworkJob.monitor

    def killed_in_epoch_three(job, epoch):
        if epoch == 2:
            raise SystemExit("killed")
        return original(job, epoch)

    monkeypatch.setattr(module.NetworkJob, "monitor", killed_in_epoch_three)
    with pytest.raises(SystemExit):
        DBNClassifier(**settings, checkpoint=tmp_path / "run").fit(images, labels)
    monkeypatch.setattr(module.NetworkJob, "monitor", original)
    resumed = DBNClassifier(**settings, checkpoint=tmp_path / "run").fit(images, labels)
    np.testing.assert_array_equal(resumed.predict_proba(images), straight.predict_proba(images))


@pytest.mark.parametrize("where", ["pretraining", "fine-tuning"])
def test_ctrl_c_leaves_a_classifier_that_predicts(where, images, labels, monkeypatch):
    if where == "pretraining":
        target = "dbnlib.training.RBMJob.monitor"
    else:
        target = "dbnlib.network_training.NetworkJob.monitor"

    def interrupt(job, epoch):
        raise KeyboardInterrupt

    monkeypatch.setattr(target, interrupt)
    model = DBNClassifier(**FAST, epochs=3)
    with pytest.warns(InterruptedTrainingWarning):
        model.fit(images, labels)
    assert model.predict(images).shape == labels.shape
    assert model.histories_[0].interrupted


# ---- scaling


@pytest.mark.parametrize("how", ["feature", "global"])
@pytest.mark.parametrize("units", ["bernoulli", "gaussian"])
def test_scaling_gives_the_range_that_the_units_want_and_leads_back(how, units, rng):
    x = rng.normal(size=(200, 3)) * [1, 10, 100] + [0, 50, -7]
    scaling = Scaling(how, units).fit(x)
    z = scaling.transform(x)
    if units == "bernoulli":
        ends = (z.min(axis=0), z.max(axis=0)) if how == "feature" else (z.min(), z.max())
        np.testing.assert_allclose(ends[0], 0, atol=1e-12)
        np.testing.assert_allclose(ends[1], 1)
    else:
        axis = 0 if how == "feature" else None
        np.testing.assert_allclose(z.mean(axis=axis), 0, atol=1e-12)
        np.testing.assert_allclose(z.std(axis=axis), 1)
    np.testing.assert_allclose(scaling.inverse_transform(z), x)


def test_rows_outside_the_training_range_are_cut_to_it():
    scaling = Scaling("feature").fit(np.array([[0.0], [10.0]]))
    assert scaling.transform(np.array([[-5.0], [20.0]])).tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e300])
@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_any_finite_numbers_can_be_fitted(size, visible, rng):
    x = rng.normal(size=(30, 3)) * size
    x[:, 2] = size  # a column that does not vary
    model = RBMTransformer(4, epochs=2, visible=visible, random_state=0).fit(x)
    assert np.isfinite(model.transform(x)).all()


def test_scaling_can_be_switched_off_and_then_the_range_is_checked(images):
    model = RBMTransformer(4, epochs=1, scaling=None, random_state=0).fit(images)
    np.testing.assert_array_equal(model.scaling_.transform(images), images)
    with pytest.raises(ValueError, match="must lie between 0 and 1, got 0 to 16"):
        model.transform(images * 16)


@pytest.mark.parametrize(
    "seed", [0, np.int64(3), np.random.RandomState(1)], ids=["int", "int64", "state"]
)
def test_random_states_of_scikit_learn_become_generators(seed):
    assert isinstance(generator_from(seed), np.random.Generator)


def test_a_generator_is_used_as_it_is(rng):
    assert generator_from(rng) is rng


def test_the_estimators_rbm_is_a_model_like_any_other(fitted):
    assert isinstance(fitted["rbm"][0].rbm_, RBM)


def test_an_estimator_fitted_on_a_data_frame_is_saved_with_its_column_names(tmp_path, rng):
    frame = pd.DataFrame(rng.random((20, 3)), columns=["a", "b", "c"])
    model = RBMTransformer(4, epochs=1, random_state=0).fit(frame)
    again = dbnlib.load(dbnlib.save(tmp_path / "model", model))
    np.testing.assert_array_equal(again.transform(frame), model.transform(frame))
    assert list(again.feature_names_in_) == ["a", "b", "c"]


def test_a_pretraining_rate_of_zero_is_zero(images):
    still = DBNTransformer(**FAST, pretraining_rate=0.0).fit(images)
    untrained = DBNTransformer(**{**FAST, "pretraining_epochs": 0}).fit(images)
    np.testing.assert_array_equal(still.dbn_.rbms[0].W, untrained.dbn_.rbms[0].W)


# ---- checkpoints

SHORT = {"hidden_sizes": (4,), "pretraining_epochs": 1, "epochs": 2}


def test_a_fit_with_another_seed_does_not_take_up_a_checkpoint(images, labels, tmp_path):
    DBNClassifier(**SHORT, random_state=0, checkpoint=tmp_path).fit(images, labels)
    with pytest.raises(dbnlib.StorageError, match="layer 1 of 1 that started .*: another seed"):
        DBNClassifier(**SHORT, random_state=1, checkpoint=tmp_path).fit(images, labels)


@pytest.mark.parametrize("kind", [DBNClassifier, DBNRegressor, DBNAutoencoder])
def test_without_a_seed_the_folder_keeps_one_to_go_on_with(kind, images, labels, tmp_path):
    one, again = (kind(**SHORT, checkpoint=tmp_path).fit(images, labels) for _ in range(2))
    np.testing.assert_array_equal(one.dbn_.rbms[0].W, again.dbn_.rbms[0].W)
    other = kind(**SHORT, checkpoint=tmp_path / "other").fit(images, labels)
    assert (one.dbn_.rbms[0].W != other.dbn_.rbms[0].W).any()


def test_a_damaged_seed_is_named(images, tmp_path):
    (tmp_path / "seed.txt").write_text("")
    with pytest.raises(dbnlib.StorageError, match="seed.txt holds no seed; remove"):
        RBMTransformer(4, epochs=1, checkpoint=tmp_path).fit(images)


# ---- fits that fail


DIVERGING = {
    "classifier": (DBNClassifier, {**SHORT, "hidden": "relu"}, {"learning_rate": 1e30}),
    "regressor": (DBNRegressor, {**SHORT, "optimiser": "sgd"}, {"learning_rate": 1e30}),
    "dbn": (DBNTransformer, {"hidden_sizes": (4,)}, {"pretraining_rate": 1e30}),
    "rbm": (RBMTransformer, {"epochs": 2}, {"learning_rate": 1e30}),
    "autoencoder": (DBNAutoencoder, SHORT, {"pretraining_rate": 1e30}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_fit_that_diverged_nothing_is_fitted(kind, images, labels):
    make, settings, too_fast = DIVERGING[kind]
    model = make(**settings, visible="gaussian", random_state=0).fit(images, labels)
    model.set_params(**too_fast)
    with pytest.raises(dbnlib.DivergenceError):
        model.fit(images[:, :10], labels)
    method = "predict" if hasattr(model, "predict") else "transform"
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        getattr(model, method)(images[:, :10])


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (DBNClassifier, {"hidden": "softmax"}, "hidden must be one of 'bernoulli', 'relu', 'gaus"),
        (DBNClassifier, {"hidden": ["relu", 3]}, "hidden must be one of"),
        (DBNClassifier, {"hidden": None}, "hidden must be one of"),
        (DBNRegressor, {"hidden": dbnlib.Softmax(4)}, r"cannot be made of Softmax\(4\)"),
        (DBNAutoencoder, {"epochs": -1}, "epochs must be at least 0"),
        (DBNAutoencoder, {"learning_rate": -1.0}, "learning_rate must be a finite number"),
        (DBNAutoencoder, {"batch_size": 0}, "batch_size must be at least 1"),
        (
            DBNClassifier,
            {"validation_fraction": 0.01},
            "validation_fraction=0.01 holds out 6 of 600 rows, .* one of each of the 10 classes",
        ),
    ],
    ids=str,
)
def test_what_fine_tuning_cannot_do_is_said_before_pretraining(
    kind, settings, message, images, labels, monkeypatch
):
    monkeypatch.setattr("dbnlib.estimator_base.pretrain_dbn", None)  # would be a TypeError
    with pytest.raises(ValueError, match=message):
        kind(**settings).fit(images, labels)


def test_a_class_with_a_single_row_is_named_where_rows_are_held_out(images):
    words = np.array(["cat", "dog"] * 20)
    words[7] = "cow"
    with pytest.raises(ValueError, match=r"the class 'cow' has a single row, .*=0.2 wants two"):
        DBNClassifier(validation_fraction=0.2).fit(images[:40], words)
    with pytest.raises(ValueError, match="validation_fraction=0.5 holds out 1 of 1 rows"):
        DBNRegressor(validation_fraction=0.5).fit(images[:1], [1.0])


def test_values_beyond_float32_are_refused_as_x():
    model = RBMTransformer(4, scaling=None, visible="gaussian")
    with pytest.raises(ValueError, match="X holds values up to 1e.39, more than float32 can hold"):
        model.fit([[1e39, 0.0], [0.0, 1.0]])


# ---- grey data, data frames


def test_persistent_chains_hand_on_means_for_grey_rows_and_draw_for_others(images, monkeypatch):
    from dbnlib.training import train_rbm

    seen = []

    def spy(rbm, v, *, gradient, **settings):
        seen.append(repr(gradient))
        return train_rbm(rbm, v, gradient=gradient, **settings)

    monkeypatch.setattr("dbnlib.transformers.train_rbm", spy)
    for rows in (images, (images > 0.5).astype(float)):
        RBMTransformer(4, k=2, epochs=1, persistent=True, scaling=None).fit(rows)
    assert seen == [f"PCD(k=2, n_chains=None, sample_visible={draws})" for draws in (False, True)]


def test_persistent_features_of_grey_digits_are_as_good_as_those_of_cd(images, labels):
    def score(persistent):
        model = RBMTransformer(
            60, persistent=persistent, epochs=20, scaling="global", random_state=0
        )
        features = model.fit_transform(images)
        learned = LogisticRegression(max_iter=1000).fit(features[:300], labels[:300])
        return learned.score(features[300:], labels[300:])

    assert score(True) > score(False) - 0.04


def test_a_loaded_transformer_gives_data_frames_if_the_saved_one_did(images, tmp_path):
    model = RBMTransformer(4, epochs=1).set_output(transform="pandas").fit(images)
    again = dbnlib.load(dbnlib.save(tmp_path / "model", model))
    pd.testing.assert_frame_equal(again.transform(images), model.transform(images))
