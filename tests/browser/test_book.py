"""The built book in Chromium, wide and narrow, light and dark. Run by `make test-browser`, after `make book`."""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

HTML = Path(__file__).parents[2] / "_build" / "html"
FILES = sorted(path.relative_to(HTML) for path in HTML.rglob("*.html") if "_static" not in path.parts)
PAGES = [str(path) for path in FILES if str(path) != "index.html"]  # only redirects to the first page


@pytest.fixture(scope="session")
def chromium():
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "Chromium is needed on the PATH"
    with sync_playwright() as playwright:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]  # root cannot use one
        browser = playwright.chromium.launch(executable_path=program, args=sandbox)
        yield browser
        browser.close()


def test_the_book_is_built():
    assert PAGES, "run `make book` first"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", PAGES)
def test_page_fits_its_width_and_shows_everything(chromium, name, width, scheme):
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((HTML / name).as_uri())
    page.wait_for_load_state("load")
    # The theme and sphinx-thebe, which Jupyter Book always loads, declare one constant each; it is not used here.
    assert [error for error in errors if "THEBE_JS_URL" not in error] == []
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    broken = "[...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.src)"
    assert page.evaluate(broken) == []
    assert page.locator(".cell_output .stderr, mjx-merror, .system-message").count() == 0
    if page.locator("span.math, div.math").count():
        page.wait_for_selector("mjx-container", state="attached")
    page.close()
