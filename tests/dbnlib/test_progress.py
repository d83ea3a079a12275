"""Progress bars: of widgets where they can be drawn, of text elsewhere."""

from dbnlib import progress


def test_in_a_notebook_without_ipywidgets_the_bar_is_one_of_text(monkeypatch, capsys):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr(progress, "find_spec", lambda name: None, raising=False)
    monkeypatch.setattr("tqdm.notebook.IProgress", None)
    with progress.bar(3, "Gibbs", show=True) as shown:
        shown.update(3)
    assert "Gibbs:   0%|" in capsys.readouterr().err
