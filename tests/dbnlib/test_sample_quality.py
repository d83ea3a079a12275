"""Agreement, diversity and novelty: hand-computed distances, and samples whose worth is known."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from dbnlib.data import digits
from dbnlib.sample_quality import assess_samples, mean_pairwise_distance, nearest_distances


@pytest.fixture(scope="module")
def real():
    """Digits in three parts, as arguments; the third takes the place of samples."""
    order = np.random.default_rng(0).permutation(1797)
    images, labels = digits().images[order], digits().labels[order]
    train, held_out, others = slice(0, 900), slice(900, 1300), slice(1300, 1797)
    classifier = LogisticRegression(max_iter=2000).fit(images[train], labels[train])
    grounds = {
        "train": images[train],
        "train_labels": labels[train],
        "held_out": images[held_out],
        "held_out_labels": labels[held_out],
        "classifier": classifier,
    }
    return grounds, images[others], labels[others]


def test_real_images_have_about_one_in_all_three(real):
    grounds, images, labels = real
    report = assess_samples(images, labels, **grounds)
    assert report.agreement == pytest.approx(report.accuracy, abs=0.03)
    assert report.accuracy > 0.9
    assert report.diversity == pytest.approx(1, abs=0.03)
    assert report.novelty == pytest.approx(1, abs=0.05)


def test_copies_of_training_images_have_no_novelty(real):
    grounds, _, _ = real
    report = assess_samples(grounds["train"][:300], grounds["train_labels"][:300], **grounds)
    assert report.nearest_sample == 0
    assert report.novelty == 0
    assert report.diversity == pytest.approx(1, abs=0.05)


def test_the_mean_of_a_class_drawn_again_and_again_has_no_diversity(real):
    grounds, _, _ = real
    images, labels = grounds["train"], grounds["train_labels"]
    means = np.array([images[labels == label].mean(axis=0) for label in range(10)])
    report = assess_samples(np.repeat(means, 20, axis=0), np.repeat(range(10), 20), **grounds)
    assert report.diversity == pytest.approx(0, abs=1e-6)
    assert [x.diversity for x in report.classes] == pytest.approx([0] * 10, abs=1e-6)


def test_images_of_other_classes_than_were_asked_for_do_not_agree(real):
    grounds, images, labels = real
    report = assess_samples(images, (labels + 1) % 10, **grounds)
    assert report.agreement < 0.03


def test_noise_is_varied_and_new_and_nothing_that_was_asked_for(real):
    grounds, _, _ = real
    noise = np.random.default_rng(0).random((200, 64))
    report = assess_samples(noise, np.arange(200) % 10, **grounds)
    assert report.agreement < 0.25
    assert report.novelty > 1.2


# ---- by hand: two classes on a line, training images at 0 and 2, and at 10 and 14


class Threshold:
    """Class 1 from 5 on."""

    def predict(self, X):
        return (np.asarray(X)[:, 0] >= 5).astype(int)


LINE = {
    "train": [[0.0], [2.0], [10.0], [14.0]],
    "train_labels": [0, 0, 1, 1],
    "held_out": [[1.0], [12.0], [11.0]],
    "classifier": Threshold(),
}


def test_all_numbers_of_a_small_case_are_those_computed_by_hand():
    samples, wanted = [[0.5], [1.0], [6.0], [12.0], [4.0], [10.0]], [0, 0, 0, 1, 1, 1]
    report = assess_samples(samples, wanted, held_out_labels=[0, 0, 1], **LINE)
    # 6 is no member of class 0, nor 4 of class 1
    assert report.agreement == pytest.approx(4 / 6)
    assert report.accuracy == pytest.approx(2 / 3)
    # class 0: distances ½, 5½, 5 against 2; class 1: 8, 2, 6 against 4
    assert [x.diversity for x in report.classes] == pytest.approx([11 / 6, 4 / 3])
    assert report.diversity == pytest.approx((11 / 6 + 4 / 3) / 2)
    # nearest training images: ½, 1, 4, 2, 2, 0; of held-out images: 1, 2, 1
    assert report.nearest_sample == pytest.approx(1.5)
    assert report.nearest_held_out == pytest.approx(1)
    assert report.novelty == pytest.approx(1.5)
    assert [(x.label, x.n_samples) for x in report.classes] == [(0, 3), (1, 3)]
    assert [x.agreement for x in report.classes] == pytest.approx([2 / 3, 2 / 3])


def test_a_class_with_one_sample_has_no_diversity_of_its_own():
    report = assess_samples([[0.0], [1.0], [11.0]], [0, 0, 1], **LINE)
    assert [x.diversity for x in report.classes] == [pytest.approx(0.5), None]
    assert report.diversity == pytest.approx(0.5)


def test_without_labels_of_held_out_images_there_is_no_accuracy():
    report = assess_samples([[0.0], [1.0]], [0, 0], **LINE)
    assert report.accuracy is None
    assert "of held-out images" not in repr(report).splitlines()[1]


def test_the_report_is_plain_data_for_json_and_a_table_for_people():
    report = assess_samples([[0.5], [1.0], [11.0]], [0, 0, 1], held_out_labels=[0, 1, 1], **LINE)
    plain = json.loads(json.dumps(report.as_dict()))
    assert plain["agreement"] == 1
    assert plain["classes"][1] == {"label": 1, "n_samples": 1, "agreement": 1, "diversity": None}
    lines = repr(report).splitlines()
    assert lines[1] == "agreement  100.0% in the class asked for; of held-out images 100.0%"
    assert lines[2] == "diversity  0.25 of that of real images"
    assert lines[3] == "novelty    1.00: nearest training image at 1.00, of held-out images at 1.00"
    assert lines[-1].split() == ["1", "1", "100.0%", "–"]


def test_mean_pairwise_distance_of_a_right_triangle():
    assert mean_pairwise_distance(np.array([[0.0, 0], [3, 0], [0, 4]])) == pytest.approx(4)


def test_distances_far_from_the_origin_lose_no_digits():
    rows = 1e6 + np.array([[0.0, 0], [3, 0], [0, 4]])
    assert mean_pairwise_distance(rows) == pytest.approx(4)
    np.testing.assert_allclose(nearest_distances(rows[1:], rows[:1]), [3, 4])


def test_distances_in_chunks_are_those_of_a_plain_loop(rng, monkeypatch):
    monkeypatch.setattr("dbnlib.sample_quality.CHUNK_NUMBERS", 30)
    rows, others = rng.normal(size=(17, 5)), rng.normal(size=(11, 5))
    expected = [min(np.linalg.norm(x - y) for y in others) for x in rows]
    np.testing.assert_allclose(nearest_distances(rows, others), expected)
    apart = [np.linalg.norm(x - y) for i, x in enumerate(rows) for y in rows[:i]]
    assert mean_pairwise_distance(rows) == pytest.approx(np.mean(apart))


def test_of_many_rows_as_many_as_wanted_are_looked_at_in_proportion(real):
    grounds, images, labels = real
    report = assess_samples(images, labels, **grounds, max_rows=100)
    assert report.n_samples == 100
    share = np.bincount(labels) / len(labels)
    np.testing.assert_allclose([x.n_samples for x in report.classes], 100 * share, atol=1.01)
    assert report.diversity == pytest.approx(1, abs=0.1)
    assert report.novelty == pytest.approx(1, abs=0.1)


class Wrong:
    def predict(self, X):
        return np.zeros((len(X), 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": [[1.0, 2.0]]}, "samples must have length 1 along axis 1"),
        ({"held_out": [[1.0, 2.0]]}, "held_out must have length 1 along axis 1"),
        ({"wanted_labels": [0]}, "wanted_labels must have length 2"),
        ({"wanted_labels": [0, 2]}, "wanted_labels must be whole numbers from 0 to 1"),
        ({"train_labels": [0, 0, 1]}, "train_labels must have length 4"),
        ({"train_labels": [0, 0, 1, 0.5]}, "train_labels must be whole numbers"),
        ({"held_out_labels": [0, 1]}, "held_out_labels must have length 3"),
        ({"max_rows": 1}, "max_rows must be at least 2"),
        ({"classifier": "svm"}, "classifier must have a method predict, got 'svm'"),
        ({"classifier": Wrong()}, r"predict\(samples\) must be one class a row"),
        ({"wanted_labels": [0, 1]}, "no class has two of them"),
        ({"train": [[1.0], [1.0], [2.0], [3.0]]}, "class 0 has 2 images and no two that differ"),
        ({"train_labels": [1, 1, 1, 1]}, "class 0 has 0 images and no two that differ"),
        ({"held_out": [[0.0], [2.0], [11.0]]}, "most of its rows stand in train too"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_wrong_calls_are_explained(change, message):
    call = {"samples": [[0.0], [1.0]], "wanted_labels": [0, 0], **LINE} | change
    with pytest.raises((ValueError, TypeError), match=message):
        assess_samples(**call)
