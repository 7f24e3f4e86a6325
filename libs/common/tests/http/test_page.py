"""The page at `/` is for browsers; everybody else gets JSON."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from sg_common.http.preferences import wants_page
from sg_common.http.state import ServiceState
from starlette.datastructures import Headers

from testbed.analyzer import bytes_service
from testbed.running import running

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (BROWSER["Accept"], True),
        ("text/html", True),
        ("text/html;q=0.9, application/json", False),
        ("application/json, text/html;q=0.5", False),
        ("text/html;q=0", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_the_page_is_for_those_who_prefer_it(accept: str, wanted: bool) -> None:
    assert wants_page(Headers({"accept": accept})) is wanted


def test_browsers_get_a_page_and_others_json_at_one_address(service: tuple[str, ServiceState]) -> None:
    base, _ = service
    page = httpx.get(base, headers=BROWSER)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    other = httpx.get(base)
    assert other.json()["status"] == "ready"
    assert page.headers["vary"] == other.headers["vary"] == "Accept"


def test_what_the_page_loads_is_there_and_is_loaded_once(service: tuple[str, ServiceState]) -> None:
    base, _ = service
    loaded = re.findall(r'(?:src|href)="(/[^"]+)"', httpx.get(base, headers=BROWSER).text)
    assert len(loaded) > 8
    for place in loaded:
        asset = httpx.get(base + place)
        assert asset.status_code == 200, place
        assert asset.headers["content-type"].split(";")[0] in ("text/javascript", "text/css")
        again = httpx.get(base + place, headers={"If-None-Match": asset.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["", "nothing.js", "report.js", "words/en.json", "%2e%2e/page.py", "..%2fpage.py"])
def test_the_page_is_made_of_no_other_file(service: tuple[str, ServiceState], name: str) -> None:
    base, _ = service
    assert httpx.get(f"{base}/page/{name}").status_code == 404


def test_a_page_that_is_off_is_json(tmp_path: Path) -> None:
    with running(bytes_service(work_dir=tmp_path, page=False)) as (base, _):
        answer = httpx.get(base, headers=BROWSER)
        assert answer.json()["status"] == "ready"
        assert "vary" not in answer.headers
        assert httpx.get(f"{base}/page/view.css").status_code == 404


def test_the_page_knows_where_a_proxy_mounts_it(tmp_path: Path) -> None:
    with running(bytes_service(work_dir=tmp_path, root_path="/video")) as (base, _):
        page = httpx.get(f"{base}/video/", headers=BROWSER).text
        assert 'src="/video/page/page.js"' in page
        assert '"root": "/video"' in page
        assert httpx.get(f"{base}/video/page/page.js").status_code == 200
