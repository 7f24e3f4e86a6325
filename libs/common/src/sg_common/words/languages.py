"""The languages that answers are given in, and which of them a caller reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
SOURCE: Language = "en"
"""The language of the phrases themselves."""


def accepted(header: str) -> Language:
    """The language that suits an `Accept-Language` header best (RFC 9110, 12.5.4); ours where none does."""
    ranked = sorted((_weighted(part) for part in header.split(",")), key=lambda wish: -wish[1])
    spoken = (_spoken(tag) for tag, weight in ranked if weight > 0)
    return next((language for language in spoken if language is not None), SOURCE)


def of_terminal(environment: Mapping[str, str]) -> Language:
    """The language of a terminal's messages, by the variables that gettext reads; ours where it is another."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        for locale in environment.get(name, "").split(":"):
            if (language := _spoken(locale.replace("_", "-").partition(".")[0])) is not None:
                return language
        if name != "LANGUAGE" and environment.get(name):
            break  # it decides, whatever weaker variables say
    return SOURCE


def _weighted(part: str) -> tuple[str, float]:
    tag, _, parameter = part.partition(";")
    name, _, weight = parameter.strip().partition("=")
    try:
        return tag.strip(), float(weight) if name.strip() == "q" else 1.0
    except ValueError:
        return tag.strip(), 0.0


def _spoken(tag: str) -> Language | None:
    """The language of a tag such as `ko-KR`, if we speak it; `*` is whatever we speak best."""
    primary = tag.partition("-")[0].lower()
    return SOURCE if primary == "*" else next((language for language in LANGUAGES if language == primary), None)
