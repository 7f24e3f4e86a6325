"""The page that a service shows: what people do with it, in a real browser and with real services."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect
from sg_common.http.state import ServiceState
from sg_common.service import installed_services
from sg_common.settings import ServiceSettings
from sg_view.page import words

from testbed.analyzer import BytesAnalyzer, bytes_service
from testbed.running import running, wait_for
from testbed.servers import free_ports

from .conftest import ROOT, Opener, violations

EN, KO = (words()[language] for language in ("en", "ko"))
PHONE: ViewportSize = {"width": 340, "height": 700}
CLIP = ROOT / "samples" / "talk.mp4"
DROP = """([name, type, text]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type }));
  for (const name of ["dragover", "drop"]) {
    const event = new DragEvent(name, { dataTransfer: carried, bubbles: true, cancelable: true });
    document.querySelector(".drop").dispatchEvent(event);
  }
}"""


def drop(page: Page, content: bytes, name: str = "clip.mp4", kind: str = "video/mp4") -> None:
    page.evaluate(DROP, [name, kind, base64.b64encode(content).decode()])


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, watchful: Path) -> Iterator[str]:
    """The audio service, whose peer is the video service."""
    services = {service.kind: service for service in installed_services()}

    def placed(kind: str, **settings: object) -> ServiceSettings:
        folder = tmp_path_factory.mktemp(kind)
        return services[kind].settings().model_copy(update={"work_dir": folder, **settings})

    with running(replace(services["video"], settings=lambda: placed("video", model_dir=watchful))) as (peer, _):
        audio = replace(services["audio"], settings=lambda: placed("audio", peer_url=peer))
        with running(audio) as (base, _):
            yield base


@pytest.fixture
def analyzer() -> BytesAnalyzer:
    return BytesAnalyzer()


@pytest.fixture
def small(analyzer: BytesAnalyzer, tmp_path: Path) -> Iterator[tuple[str, ServiceState]]:
    """A service that takes files of at most 4 kB."""
    with running(bytes_service(analyzer, work_dir=tmp_path, max_upload_bytes=4096)) as started:
        yield started
        analyzer.let_go.set()


def test_a_dropped_video_is_judged_by_both_and_can_be_looked_at(both: str, opened: Opener) -> None:
    with opened(both) as page:
        assert violations(page) == []
        drop(page, CLIP.read_bytes(), CLIP.name)
        expect(page.get_by_role("heading", name=EN["judging"].replace("{file}", CLIP.name))).to_be_visible()
        expect(page.locator("progress")).to_have_count(3)
        expect(page.locator("article")).to_have_count(2)
        for kind in ("audio", "video"):
            result = page.locator("article", has=page.locator(f"#kind-{kind}"))
            verdict = result.locator(".badge").first.inner_text()
            assert verdict in {text for key, text in EN.items() if key.startswith("verdict.")} - {
                EN["verdict.not_judged"]
            }
            assert page.locator(".verdicts li", has_text=EN[f"kind.{kind}"]).locator(".badge").inner_text() == verdict
            expect(result.locator("code")).to_have_text(re.compile("^[0-9a-f]{64}$"))
        expect(page.locator(".chart canvas")).to_have_count(4)
        assert page.locator("figure img").count() > 0, "thumbnails are decoded by the browser"
        assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0 && image.alt)")
        assert violations(page) == []

        frame = page.locator("figcaption button").last
        frame.focus()
        page.keyboard.press("Enter")
        page.wait_for_function("document.querySelector('video').currentTime > 0")

        page.set_viewport_size({"width": 1400, "height": 900})
        left, right = (page.locator("article").nth(place).bounding_box() for place in (0, 1))
        assert left is not None
        assert right is not None
        assert left["y"] == right["y"], "one stands beside the other"
        page.set_viewport_size(PHONE)
        page.emulate_media(color_scheme="dark")
        assert fits(page)
        assert violations(page) == []

        page.get_by_label(EN["choose_language"]).select_option("ko")
        expect(page.locator("h1")).to_have_text(KO["report_title"].replace("{file}", CLIP.name))
        expect(page.get_by_role("button", name=KO["again"])).to_be_visible()
        assert violations(page) == []


def test_it_can_be_used_by_keyboard_alone(small: tuple[str, ServiceState], opened: Opener, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"MEDIA film")
    with opened(small[0]) as page:
        # The browser's own dialog is kept away from the first line on: the order of two messages to it is not kept.
        with page.expect_file_chooser() as chooser:
            for _ in range(2):
                page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.textContent") == EN["choose"]
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            page.keyboard.press("Enter")
        chooser.value.set_files(clip)
        expect(page.locator("article .badge")).to_have_text(EN["verdict.uncertain"])
        expect(page.locator("h1")).to_be_focused()  # where the answer begins


def test_it_tells_how_far_the_work_is_and_can_be_cancelled(
    small: tuple[str, ServiceState], analyzer: BytesAnalyzer, opened: Opener
) -> None:
    base, state = small
    with opened(base, viewport=PHONE, color_scheme="dark") as page:
        drop(page, b"MEDIAwait ")
        service = page.get_by_role("progressbar", name=EN["kind.video"])
        expect(service).to_have_attribute("value", "0.4")
        expect(page.get_by_text(EN["stage.analysing"], exact=True)).to_be_visible()
        expect(page.get_by_role("status")).to_have_text(EN["at_work"])
        assert fits(page)
        assert violations(page) == []
        page.get_by_role("button", name=EN["cancel"]).click()
        expect(page.get_by_role("button", name=EN["choose"])).to_be_focused()
        assert analyzer.ended.wait(10)
        wait_for(lambda: state.pool.idle)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_what_can_not_be_judged_is_told_in_words(
    small: tuple[str, ServiceState], opened: Opener, language: str
) -> None:
    say = words()[language]
    base, state = small
    sent: list[str] = []
    with opened(base, refusals=True, locale=f"{language}-XX") as page:
        page.on("request", lambda asked: sent.append(asked.method))
        alert = page.get_by_role("alert")
        drop(page, b"\xff\xd8\xff", "portrait.jpg", "image/jpeg")
        expect(alert).to_contain_text(say["problem.photograph"])
        drop(page, bytes(4097))
        expect(alert).to_contain_text(say["problem.limit-exceeded"])
        assert sent == [], "what is plain beforehand is not sent"
        drop(page, b"words")
        expect(alert).to_contain_text(say["problem.not-media"])
        assert violations(page) == []
        drop(page, b"MEDIAsilent ")
        expect(alert).to_contain_text(say["problem.missing-stream"])
        wait_for(lambda: state.pool.idle)


def test_a_key_is_asked_for_and_forgotten_with_the_window(tmp_path: Path, opened: Opener) -> None:
    with running(bytes_service(work_dir=tmp_path, api_keys="right")) as (base, _), opened(base, refusals=True) as page:
        drop(page, b"MEDIA film")
        key = page.get_by_label(EN["key"])
        for text in ("wrong", "right"):
            expect(key).to_be_focused()
            key.fill(text)
            page.keyboard.press("Enter")
            if text == "wrong":
                expect(page.get_by_role("alert")).to_contain_text(EN["problem.unauthorized"])
                assert violations(page) == []
        expect(page.locator("article .badge")).to_have_text(EN["verdict.uncertain"])
        assert page.evaluate("localStorage.length + document.cookie.length") == 0


def test_the_other_service_may_be_away_and_a_proxy_before_this_one(tmp_path: Path, opened: Opener) -> None:
    (port,) = free_ports(1)
    service = bytes_service(work_dir=tmp_path, peer_url=f"http://127.0.0.1:{port}", root_path="/video")
    with running(service) as (base, _), opened(f"{base}/video/") as page:
        drop(page, b"MEDIA film")
        expect(page.locator("article")).to_have_count(2)
        expect(page.locator("article", has=page.locator("#kind-audio"))).to_contain_text(EN["problem.unavailable"])
        expect(page.locator("article", has=page.locator("#kind-video"))).to_contain_text(EN["verdict.uncertain"])
        assert violations(page) == []
