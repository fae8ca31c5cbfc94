"""A headless Chromium for tests of pages; they are skipped where there is none."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def opened(url: str, **size: int) -> Iterator[tuple[Any, list[str]]]:
    """A page of the browser, and what it complains of: errors of its console and of scripts, files it looked for."""
    api = pytest.importorskip("playwright.sync_api")
    path = os.environ.get("GRIDSIM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium on the path, and GRIDSIM_CHROMIUM names none")
    complaints: list[str] = []
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            page = browser.new_page(viewport={"width": 1400, "height": 900} | size)
            page.set_default_timeout(120_000)  # of a machine that is busy with other tests
            page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
            page.goto(url)
            yield page, complaints
        finally:
            browser.close()
