"""Progress bars: of widgets where they can be drawn, of text elsewhere; none for short work."""

import time

import numpy as np
import pytest

from dbnlib import RBM, progress, train_rbm


@pytest.fixture(autouse=True)
def bars_are_allowed(monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)


def test_work_that_is_done_at_once_shows_no_bar(capsys):
    with progress.bar(3, "Gibbs", show=True) as shown:
        shown.update(3)
    assert capsys.readouterr().err == ""


def test_a_short_training_shows_no_bar_at_the_end_of_its_epochs_either(capsys):
    rng = np.random.default_rng(0)
    train_rbm(RBM.random(4, 3, rng), np.eye(4), epochs=3, rng=rng, progress=True)
    assert capsys.readouterr().err == ""


def test_work_that_goes_on_shows_one(monkeypatch, capsys):
    monkeypatch.setattr(progress, "DELAY", 0.2)
    with progress.bar(4, "Gibbs", show=True) as shown:
        for _ in range(4):
            time.sleep(0.15)
            shown.update(1)
    assert "Gibbs:  50%|" in capsys.readouterr().err


def test_in_a_notebook_a_short_bar_leaves_no_output(monkeypatch):
    # the page keeps a place for every widget that was once displayed
    displayed = []
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr("tqdm.notebook.display", displayed.append)
    with progress.bar(3, "Gibbs", show=True) as shown:
        shown.update(3)
    assert displayed == []


def test_in_a_notebook_without_ipywidgets_the_bar_is_one_of_text(monkeypatch, capsys):
    monkeypatch.setattr(progress, "DELAY", 0)
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr(progress, "find_spec", lambda name: None, raising=False)
    monkeypatch.setattr("tqdm.notebook.IProgress", None)
    with progress.bar(3, "Gibbs", show=True) as shown:
        shown.update(3)
    assert "Gibbs:   0%|" in capsys.readouterr().err
