"""`course build`: outputs are stored, nothing else changes, and a second run changes nothing."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from exercises import build
from exercises.common import CourseError, UsageError

pytestmark = pytest.mark.slow


@pytest.fixture
def course_with(tmp_path):
    """A folder with one notebook of the given cells."""

    def make(*sources, name="00_x"):
        cells = [new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return make


def test_outputs_are_stored_and_a_second_build_changes_nothing(course_with, tmp_path, capsys):
    path = course_with("print('a')\nprint('b')", "1 + 1")
    assert build.run(root=tmp_path) == 0
    first = path.read_bytes()
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[0].outputs[0].text == "a\nb\n"
    assert notebook.cells[1].outputs[0].data["text/plain"] == "2"
    assert [cell.execution_count for cell in notebook.cells] == [1, 2]
    assert build.run(["00"], root=tmp_path) == 0
    assert path.read_bytes() == first
    assert "outputs changed" in capsys.readouterr().out


def test_time_stamps_and_versions_are_not_stored(course_with, tmp_path):
    path = course_with("print('a')")
    build.run(root=tmp_path)
    notebook = nbformat.read(path, as_version=4)
    assert "execution" not in notebook.cells[0].metadata
    assert notebook.metadata.language_info == {"name": "python"}


def test_a_slider_is_stored_by_its_text_alone(course_with, tmp_path):
    path = course_with(
        "from ipywidgets import interact\n\n\n@interact(k=(0, 3))\ndef show(k=1):\n    print(k)"
    )
    build.run(root=tmp_path)
    first = path.read_bytes()
    (output,) = nbformat.read(path, as_version=4).cells[0].outputs
    assert list(output.data) == ["text/plain"]
    build.run(root=tmp_path)
    assert path.read_bytes() == first


def test_progress_bars_are_not_stored(course_with, tmp_path):
    path = course_with(
        "from dbnlib.progress import bar\n"
        "with bar(3, 'x', show=True) as shown:\n    shown.update(3)\nprint('done')"
    )
    build.run(root=tmp_path)
    outputs = nbformat.read(path, as_version=4).cells[0].outputs
    assert [output.text for output in outputs] == ["done\n"]


def test_a_cell_that_fails_is_reported_and_the_notebook_left_as_it_was(course_with, tmp_path):
    path = course_with("1 / 0")
    before = path.read_bytes()
    with pytest.raises(CourseError, match=r"(?s)00_x.ipynb failed.*ZeroDivisionError"):
        build.run(root=tmp_path)
    assert path.read_bytes() == before


def test_pieces_of_one_stream_are_joined():
    pieces = [nbformat.v4.new_output("stream", text=text) for text in ("a\n", "b\n")]
    assert [output.text for output in build.joined(pieces)] == ["a\nb\n"]


def test_an_unknown_name_is_refused(course_with, tmp_path):
    course_with("1")
    with pytest.raises(UsageError, match="no notebook's name begins with '07'"):
        build.run(["07"], root=tmp_path)
