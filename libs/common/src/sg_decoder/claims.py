"""What a file may claim of its own making, and which of it says that AI made the file."""

from __future__ import annotations

import json
from typing import Any

SOURCE_TYPE, AIGC_LABEL, GENERATOR, ENCODER = "digital_source_type", "aigc_label", "generator", "encoder"
AI_SOURCE_TYPES = frozenset({"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"})
"""Of IPTC's digital source types: made by generative AI, or with elements made so."""
MAX_JSON = 100_000


def is_ai(source: str, text: str) -> bool:
    """Whether a declaration says that the file was made, or partly made, by AI."""
    if source == SOURCE_TYPE:
        return text in AI_SOURCE_TYPES
    if source == AIGC_LABEL:
        return (json_object(text) or {}).get("Label") == "1"
    return source == GENERATOR


def source_type(uri: str) -> str:
    """The code of one of IPTC's digital source types, whether written alone or as the address of its definition."""
    return uri.strip().rstrip("/").rpartition("/")[2]


def plain(text: str) -> str:
    """One line of it, without signs that show nothing or change how the rest is shown."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def json_object(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, if it is one."""
    stripped = text.strip()
    if not stripped.startswith("{") or len(stripped) > MAX_JSON:
        return None
    try:
        value = json.loads(stripped)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
