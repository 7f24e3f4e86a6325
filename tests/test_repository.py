"""What must hold of the repository itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from sg_common.bundle.spec import FaceSpec, read_task

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name]


@pytest.mark.parametrize("tool", ["document_settings", "document_bundles", "document_verdicts", "translate"])
def test_what_is_made_from_the_code_is_what_it_says(tool: str) -> None:
    ended = subprocess.run([sys.executable, "-m", f"tools.{tool}", "--check"], cwd=ROOT, check=False)
    assert ended.returncode == 0, "run `make docs words`"


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert broken == []


FENCED = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_korean_readme_has_the_same_commands() -> None:
    english, korean = ((ROOT / name).read_text() for name in ("README.md", "README.ko.md"))
    # What stands behind a command is for people.
    commands = [[re.sub(r" +#.*", "", block) for block in FENCED.findall(text)] for text in (english, korean)]
    assert commands[0]
    assert commands[0] == commands[1]


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_readme_has_the_video_models_rates(name: str) -> None:
    rates = read_task(ROOT / "models/video", FaceSpec).calibration.at().rates
    assert rates is not None
    text = " ".join((ROOT / name).read_text().split())
    told = re.search(
        r"100 genuine videos about (\d+) .* 100 manipulated ones about (\d+)|"
        r"진짜 영상 100개 중 약 (\d+)개.* 조작된 영상 100개 중 약 (\d+)개",
        text,
    )
    assert told is not None
    assert [int(number) for number in told.groups() if number] == [
        round(100 * rates.false_alarm_rate),
        round(100 * rates.detection_rate),
    ]


def test_locks_have_hashes_and_no_addresses() -> None:
    for lock in tracked("requirements/*.txt"):
        text = lock.read_text()
        assert "://" not in text, lock
        pins = re.findall(r"^[a-z0-9][^\s=]*==", text, re.MULTILINE)
        assert pins
        assert text.count("--hash=sha256:") >= len(pins), lock


def test_no_file_is_a_forgotten_binary() -> None:
    """Models ship; nothing else that large belongs into history."""
    large = [
        path for path in tracked() if path.is_file() and path.stat().st_size > 1_000_000 and path.suffix != ".onnx"
    ]
    assert large == []


@pytest.mark.parametrize(
    ("variable", "kept"),
    [
        ("results_retention_days", "90 days"),
        ("uploads_retention_days", "0"),
        ("noncurrent_version_retention_days", "30 days"),
        ("queue_retention_seconds", "4 days"),
        ("dlq_retention_seconds", "14 days"),
    ],
)
def test_the_page_on_retention_says_what_terraform_does(variable: str, kept: str) -> None:
    block = (ROOT / "terraform/variables_data.tf").read_text().split(f'variable "{variable}"')[1]
    match = re.search(r"default\s*=\s*(\d+)", block)
    assert match is not None
    days = int(match[1]) // (86_400 if variable.endswith("_seconds") else 1)
    assert days == int(kept.split(maxsplit=1)[0])
    page = (ROOT / "docs/retention.md").read_text()
    assert re.search(rf"kept until `{variable}`" if days == 0 else rf"{kept}[^|(]*\(`{variable}`\)", page)
