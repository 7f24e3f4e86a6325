"""The languages that answers are given in, and which of them a caller reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
SOURCE: Language = "en"
"""The language of the phrases themselves."""


def best(tags: Iterable[str]) -> Language:
    """The first language of some tags, best first, that we speak; ours where there is none."""
    return next((language for language in map(_spoken, tags) if language is not None), SOURCE)


def of_terminal(environment: Mapping[str, str]) -> Language:
    """The language of a terminal's messages, by the variables that gettext reads; ours where it is another."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        for locale in environment.get(name, "").split(":"):
            if (language := _spoken(locale.replace("_", "-").partition(".")[0])) is not None:
                return language
        if name != "LANGUAGE" and environment.get(name):
            break  # it decides, whatever weaker variables say
    return SOURCE


def _spoken(tag: str) -> Language | None:
    """The language of a tag such as `ko-KR`, if we speak it; `*` is whatever we speak best."""
    primary = tag.partition("-")[0].lower()
    return SOURCE if primary == "*" else next((language for language in LANGUAGES if language == primary), None)
