"""The table in the README is the one that the stored results give, not one typed in by hand."""

import json

import pytest

from tests.benchmarks import digits

RESULTS = json.loads(digits.RESULTS.read_text(encoding="utf-8"))


def test_the_readme_shows_the_stored_results():
    readme = (digits.ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.split(digits.BEGIN)[1].split(digits.END)[0].strip()
    assert shown == digits.table(RESULTS)


def test_every_classifier_has_a_result_on_ten_splits():
    assert set(RESULTS["rows"]) == set(digits.classifiers(0))
    assert {len(row["accuracy"]) for row in RESULTS["rows"].values()} == {10}


@pytest.mark.slow
def test_one_small_split_is_measured_anew():
    # the peers alone: seconds, not minutes
    rows = digits.measure(1, ["SVC (RBF, C=10)"])["rows"]
    assert rows["SVC (RBF, C=10)"]["accuracy"][0] > 0.97
