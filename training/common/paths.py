"""Where training keeps what it makes: never in the checkout."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(area: str) -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/silver-guardian/<area>`."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "silver-guardian" / area
