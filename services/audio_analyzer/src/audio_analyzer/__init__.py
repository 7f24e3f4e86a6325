"""The audio expert: how likely is the speech in a media file synthetic, cloned or converted?

`service` is what the doors find through the entry point group `silver_guardian.analyzers`; it is made when asked for,
so that `audio_analyzer.windows` and its neighbours can be used without the service's settings.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "service":
        from audio_analyzer.door import SERVICE  # noqa: PLC0415

        return SERVICE
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
