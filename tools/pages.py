"""How the tools that write pages end: they write them, or say whether what is there is what they would write."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path


def finish(texts: Mapping[Path, str]) -> int:
    """Write the texts; with `--check` among the arguments compare them, and 1 where one differs."""
    if "--check" in sys.argv[1:]:
        return 0 if all(path.exists() and path.read_text() == text for path, text in texts.items()) else 1
    for path, text in texts.items():
        path.write_text(text)
    return 0
