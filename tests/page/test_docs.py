"""The API's description for people works without another network, also behind a proxy, under a strict policy."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from testbed.analyzer import bytes_service
from testbed.running import running

from .conftest import Opener


@pytest.mark.parametrize("root", ["", "/behind/proxy"])
def test_the_description_is_shown_and_tried(tmp_path: Path, opened: Opener, root: str) -> None:
    service = bytes_service(work_dir=tmp_path, root_path=root)
    with running(service) as (base, _), opened(f"{base}{root}/docs") as page:
        operation = page.locator("#operations-default-health")
        operation.get_by_role("button").first.click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        expect(operation.locator(".live-responses-table")).to_contain_text("healthy")
