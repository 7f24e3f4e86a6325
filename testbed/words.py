"""What tests ask of an answer in words."""

from __future__ import annotations

import re
from types import ModuleType

from sg_common.analysis import Report
from sg_common.words.languages import LANGUAGES, Language
from sg_common.words.phrases import Phrase

HANGUL = re.compile("[가-힣]")


def codes_of(module: ModuleType) -> set[str]:
    """Every reason's code that a module of phrases has."""
    return {value.code for value in vars(module).values() if isinstance(value, Phrase) and value.code}


def said(report: Report, module: ModuleType) -> list[str]:
    """The codes of a report's reasons that are that module's, in order."""
    own = codes_of(module)
    return [reason.code for reason in report.reasons if reason.code in own]


def check_words(report: Report) -> dict[Language, str]:
    """A report says the same in every language, without gaps; all of it by language."""
    told = {language: report.told(language) for language in LANGUAGES}
    texts = {language: "\n".join([words.summary, *(r.text for r in words.reasons)]) for language, words in told.items()}
    assert len({tuple(reason.code for reason in words.reasons) for words in told.values()}) == 1
    for language, text in texts.items():
        assert not re.search(r"[{}]|None", text), text
        for line in text.splitlines():
            assert bool(HANGUL.search(line)) == (language == "ko"), line
        # A time of one language that another lacks would be a sentence about something else.
        assert set(re.findall(r"\d+:\d\d", text)) == set(re.findall(r"\d+:\d\d", texts["en"]))
    return texts
