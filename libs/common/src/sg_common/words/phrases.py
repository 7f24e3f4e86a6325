"""Phrases with gaps, and what fills them: a finding, which can be told in every language."""

from __future__ import annotations

import gettext
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TypeAlias

from sg_common.words.languages import SOURCE, Language

CATALOGUES = "locale"
"""The folder of a package that holds its translations, as gettext lays them out."""


@dataclass(frozen=True)
class Phrase:
    """A sentence, or a part of one. Filling its gaps makes a finding of it.

    Attributes:
        package: whose catalogue translates it.
        code: what programs know it by, where it is a reason of its own.
        text: in English, with gaps as for `str.format`.
        plural: the text where `count`, a gap of both, asks for it.
    """

    package: str
    code: str
    text: str
    plural: str | None = None

    def __call__(self, **values: Value) -> Finding:
        return Finding(self, values)


@dataclass(frozen=True)
class Finding:
    """A phrase and what fills its gaps: texts that need no translation, numbers, or findings of their own."""

    phrase: Phrase
    values: Mapping[str, Value]

    @property
    def code(self) -> str:
        return self.phrase.code

    def but(self, **values: Value) -> Finding:
        """The same with other values."""
        return replace(self, values={**self.values, **values})

    def text(self, language: Language) -> str:
        """It in words."""
        phrase, catalogue = self.phrase, _catalogue(self.phrase.package, language)
        if phrase.plural is None:
            template = catalogue.gettext(phrase.text)
        else:
            template = catalogue.ngettext(phrase.text, phrase.plural, int(str(self.values["count"])))
        filled = {
            name: value.text(language) if isinstance(value, Finding) else value for name, value in self.values.items()
        }
        return template.format(**filled)


Value: TypeAlias = "str | int | Finding"


def _catalogue(package: str, language: Language) -> gettext.NullTranslations:
    # The library keeps what it has read. A catalogue that is missing is a fault of the installation: it must be seen.
    if language == SOURCE:
        return gettext.NullTranslations()
    return gettext.translation(package, str(files(package) / CATALOGUES), [language])


def clock(seconds: float) -> str:
    """A moment of a file as players show it: `01:05`, or `1:02:05` from an hour on."""
    minutes, whole = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes:02}:{whole:02}"
