"""A report opens from a disk without a network, says what the answer says, and can be read by everybody."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sg_common.cli.main import main
from sg_view.page import words

from .conftest import ROOT, Opener, violations

PHONE = {"viewport": {"width": 340, "height": 700}}


def embedded(report: Path) -> dict[str, dict[str, object]]:
    """The answers in a report, by kind."""
    found = re.search(r'id="document">(.*?)</script>', report.read_text())
    assert found is not None
    return {result["kind"]: result["report"] for result in json.loads(found[1])["results"]}


@pytest.mark.parametrize(
    "context",
    [{}, {"color_scheme": "dark"}, {"locale": "ko-KR"}, PHONE, {"reduced_motion": "reduce", "forced_colors": "active"}],
    ids=["light", "dark", "korean", "phone", "contrast"],
)
def test_everybody_can_read_it(report: Path, opened: Opener, context: dict[str, object]) -> None:
    language = "ko" if "locale" in context else "en"
    with opened(report.as_uri(), offline=True, **context) as page:
        say = words()[language]
        assert page.locator("html").get_attribute("lang") == language
        for kind, answer in embedded(report).items():
            result = page.locator("article", has=page.locator(f"#kind-{kind}"))
            expect(result.locator(".badge").first).to_have_text(say[f"verdict.{answer['verdict']}"])
            expect(result.get_by_text(str(answer["sha256"]))).to_be_visible()
        expect(page.locator(".chart canvas")).to_have_count(4)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off at the side"
        pictures = "[...document.images].every((image) => image.complete && image.naturalWidth > 0 && image.alt)"
        assert page.evaluate(pictures)
        assert violations(page) == []


def test_the_language_is_changed_by_keyboard_alone(report: Path, opened: Opener) -> None:
    with opened(report.as_uri(), offline=True) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == "SELECT"
        page.keyboard.press("ArrowDown")
        expect(page.locator("h1")).to_have_text(words()["ko"]["report_title"].replace("{file}", "talk.mp4"))
        assert page.evaluate("document.activeElement.tagName") == "SELECT", "the focus stays where it was"
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"


def test_the_judged_file_plays_in_it_and_no_other(report: Path, opened: Opener, tmp_path: Path) -> None:
    other = tmp_path / "talk.mp4"
    other.write_bytes((ROOT / "samples" / "talk.mp4").read_bytes()[:-1] + b"\0")
    with opened(report.as_uri(), offline=True) as page:
        chooser = page.locator("input[type=file]")
        chooser.set_input_files(other)
        expect(page.get_by_role("status")).to_have_text(words()["en"]["other_file"])
        assert page.locator("video").count() == 0
        chooser.set_input_files(ROOT / "samples" / "talk.mp4")
        expect(page.get_by_role("status")).to_have_text(words()["en"]["same_file"])
        frame = page.locator("figcaption button").first
        frame.focus()
        page.keyboard.press("Enter")
        told = page.locator("figcaption").first.inner_text()
        minutes, seconds = re.match(r"(\d+):([\d.]+)", told).groups()  # type: ignore[union-attr]
        page.wait_for_function("document.querySelector('video').currentTime > 0")
        assert page.evaluate("document.querySelector('video').currentTime") >= 60 * int(minutes) + float(seconds) - 0.1
        assert violations(page) == []


def test_it_prints_on_a4(report: Path, opened: Opener) -> None:
    with opened(report.as_uri(), offline=True, color_scheme="dark") as page:
        printed = page.pdf(format="A4", prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 5
        assert re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)[0][0].startswith(b"59")
        # Paper is white, whatever the screen was, and the screen is as it was afterwards.
        expect(page.locator("html")).not_to_have_class("paper")


def test_several_files_are_a_folder_with_an_index(opened: Opener, tmp_path: Path) -> None:
    broken = tmp_path / "<img src=x onerror=alert(1)>.wav"
    broken.write_bytes(b"no sound")
    folder = tmp_path / "reports"
    files = [str(ROOT / "samples" / "voice.m4a"), str(broken), str(tmp_path / "nowhere.mp4")]
    assert main(["analyze", *files, "--report", str(folder)]) == 2
    with opened((folder / "index.html").as_uri(), offline=True) as page:
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(3)
        expect(page.get_by_text("<img src=x onerror=alert(1)>.wav")).to_be_visible()
        assert page.locator("img").count() == 0
        assert violations(page) == []
        page.get_by_role("link").filter(has_text="voice.m4a").click()
        expect(page.locator("h1")).to_contain_text("voice.m4a")
        expect(page.locator("article", has=page.locator("#kind-video"))).to_contain_text("no video stream")
