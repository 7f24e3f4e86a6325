"""Where training keeps what it makes: never in the checkout."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path


def file_name(text: str) -> str:
    """A text as part of a file's name: everything but letters and digits becomes a hyphen."""
    return "".join(c if c.isalnum() else "-" for c in text)


def key_of(*what: object) -> str:
    """A short name that changes with the representations of what decides a file's contents."""
    return blake2b(repr(what).encode(), digest_size=8).hexdigest()


def cache_folder(area: str) -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/silver-guardian/<area>`, made if missing."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "silver-guardian" / area
    folder.mkdir(parents=True, exist_ok=True)
    return folder
