"""The video expert: how likely are the faces of a video manipulated, and when?

`service` is what the doors find through the entry point group `silver_guardian.analyzers`; it is made when asked for,
so that `video_analyzer.crops` and its neighbours can be used without the service's settings.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "service":
        from video_analyzer.door import SERVICE  # noqa: PLC0415

        return SERVICE
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
