"""A browser without a network, and a report of a real clip."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sg_common.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome")
REFUSAL = "Failed to load resource: the server responded with a status of 4"
GRAVE = {"serious", "critical"}

expect.set_options(timeout=60_000)  # a machine may be busy

Opener = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        assert not os.environ.get("CI"), "Chromium is missing (Debian: chromium)"
        pytest.skip("Chromium is missing (Debian: chromium)")
    with sync_playwright() as driver:
        # Its sandbox needs rights that containers lack; the pages are ours.
        chromium = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Browser) -> Opener:
    """Opens an address in a window of its own; fails where the page complains or asks another place for anything.

    With `refusals`, the service may refuse what the page asks: a browser logs that by itself.
    """

    @contextmanager
    def opened(address: str, *, refusals: bool = False, **context: Any) -> Iterator[Page]:
        window = browser.new_context(**context)
        page = window.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if _foreign(asked.url, address) else None)
        page.goto(address)
        try:
            yield page
            assert [said for said in complaints if not (refusals and said.startswith(REFUSAL))] == []
        finally:
            window.close()

    return opened


def _foreign(url: str, address: str) -> bool:
    own = address.split("/", 3)[:3]
    return not url.startswith(("data:", "blob:")) and url.split("/", 3)[:3] != own


def violations(page: Page) -> list[str]:
    """What axe-core calls serious or critical."""
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in found if rule["impact"] in GRAVE]


@pytest.fixture(scope="session")
def watchful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped video detector with a threshold over which every judged frame stands out: whether one does is not for
    the page to depend on."""
    folder = shutil.copytree(ROOT / "models" / "video", tmp_path_factory.mktemp("models") / "video")
    spec = json.loads((folder / "model.json").read_text())
    for thresholds in (spec["calibration"]["thresholds"], *spec["calibration"]["operating_points"].values()):
        thresholds["likely_authentic"] = 0.001
    (folder / "model.json").write_text(json.dumps(spec))
    return folder


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, watchful: Path) -> Path:
    """The report of a clip with a voice and a face, as the command line writes it."""
    path = tmp_path_factory.mktemp("report") / "talk.html"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SG_VIDEO_MODEL_DIR", str(watchful))
        assert main(["analyze", str(ROOT / "samples" / "talk.mp4"), "--report", str(path)]) == 0
    return path
