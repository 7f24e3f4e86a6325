"""Asks this container's own service whether it lives: exit status 0 or 1. Needs nothing beyond the standard library."""

from __future__ import annotations

import os
import urllib.error
import urllib.request


def main() -> int:
    """Ask `/health` on `SG_PORT`."""
    url = f"http://127.0.0.1:{os.environ.get('SG_PORT', '8000')}/health"
    try:
        with urllib.request.urlopen(url, timeout=8) as answer:
            return 0 if answer.status == 200 else 1
    except (urllib.error.URLError, OSError):
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
