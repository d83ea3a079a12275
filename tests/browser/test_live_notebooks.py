"""The notebooks in a real browser: every cell runs, what one moves changes the picture, no errors.

Run by `course test --browser`. JupyterLab serves a copy of the notebooks; Chromium, without a
screen, opens them as a learner does.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from exercises import lab
from exercises.testing import chromium

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = [
    path
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    if path.name[:2] in ("01", "03", "07")
]
#: milliseconds that a whole notebook, and one change of a picture, may take on a slow machine
ALL_CELLS, ONE_CHANGE = 240_000, 30_000
ERRORS = ", ".join(
    f'[data-mime-type="application/vnd.jupyter.{kind}"]' for kind in ("error", "stderr")
)
#: what JupyterLab writes where a widget was closed, and where a cell has too many outputs to show
LEFT_OVER = re.compile("Error displaying widget|Show more outputs")
#: all cells stay in the page, not only those on the screen
SETTINGS = ("@jupyterlab/notebook-extension/tracker", '{"windowingMode": "none"}')


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and token of a JupyterLab that serves a copy of the notebooks."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    settings = folder / "settings" / f"{SETTINGS[0]}.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(SETTINGS[1], encoding="utf-8")
    os.environ["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    token, port = secrets.token_hex(16), lab.free_port("127.0.0.1")
    with tempfile.TemporaryFile() as log:
        process = lab.start(folder, "127.0.0.1", port, token, log)
        try:
            base = f"http://127.0.0.1:{port}"
            lab.wait_until_it_answers(process, base, token, log)
            yield base, token
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a screen."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-quic"]
        )
        yield opened
        opened.close()


def run_all(page: Page, n_code_cells: int) -> None:
    """Run all cells by the menu, and wait until each has its number."""
    # Asked to run before its kernel is there, JupyterLab would ask which one to take.
    page.get_by_text("| Idle").wait_for(timeout=60_000)
    # The stored numbers go first, so that those waited for are new.
    for menu, item in (("Edit", "Clear Outputs of All Cells"), ("Run", "Run All Cells")):
        page.get_by_role("menuitem", name=menu, exact=True).click()
        page.get_by_role("menuitem", name=item, exact=True).click()
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt")
    expect(prompts).to_have_text([re.compile(r"\[\d+\]:")] * n_code_cells, timeout=ALL_CELLS)


def picture(cell: Locator) -> str | None:
    """The image that the cell shows, as its source text."""
    image = cell.locator(".jp-OutputArea img").last
    return image.get_attribute("src") if image.count() else None


def moved(cell: Locator, control: Locator, how: str) -> None:
    """Move a control as a user does."""
    control.scroll_into_view_if_needed()
    if how == "slider":
        # by keys: to its lower end, or from there to the upper one
        handle = control.locator(".noUi-handle").first
        at, lowest = (float(handle.get_attribute(f"aria-value{end}")) for end in ("now", "min"))
        handle.focus()
        handle.press("End" if at == lowest else "Home")
    elif how == "menu":
        menu = control.locator("select")
        n, now = menu.locator("option").count(), menu.evaluate("menu => menu.selectedIndex")
        menu.select_option(index=(now + 1) % n)
    else:
        control.locator("input[type=checkbox]").click()


CONTROLS = {
    "slider": ".widget-slider, .widget-hslider",
    "menu": ".widget-dropdown",
    "box": ".widget-checkbox",
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_its_pictures_follow_what_one_moves(path, server, browser):
    base, token = server
    cells = nbformat.read(path, as_version=4).cells
    n_code_cells = sum(cell.cell_type == "code" for cell in cells)
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    try:
        page.goto(f"{base}/lab/tree/notebooks/{path.name}?token={token}&reset")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
        run_all(page, n_code_cells)
        assert page.locator(ERRORS).all_inner_texts() == []
        expect(page.get_by_text(LEFT_OVER)).to_have_count(0)

        n_live = sum(bool(re.search(r"^@?interact\b", cell.source, re.M)) for cell in cells)
        assert n_live >= 1
        expect(page.locator(".widget-interact")).to_have_count(n_live, timeout=ONE_CHANGE)
        n_moved = 0
        for how, selector in CONTROLS.items():
            for control in page.locator(selector).all():
                cell = control.locator("xpath=ancestor::*[contains(@class, 'jp-CodeCell')]")
                before = picture(cell)
                assert before is not None, f"a {how} without a picture"
                moved(cell, control, how)
                image = cell.locator(".jp-OutputArea img").last
                expect(image).not_to_have_attribute("src", before, timeout=ONE_CHANGE)
                n_moved += 1
        assert n_moved >= n_live
        assert page.locator(ERRORS).all_inner_texts() == []
        expect(page.get_by_text(LEFT_OVER)).to_have_count(0)
    finally:
        page.close()
