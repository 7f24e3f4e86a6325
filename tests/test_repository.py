"""What must hold of the repository itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name]


@pytest.mark.parametrize("tool", ["document_settings.py", "document_bundles.py"])
def test_the_written_pages_are_what_the_code_says(tool: str) -> None:
    ended = subprocess.run([sys.executable, ROOT / "tools" / tool, "--check"], check=False)
    assert ended.returncode == 0, "run `make docs`"


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert broken == []


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
