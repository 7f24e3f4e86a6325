"""Hold a fake out together with the genuine recordings of its voice.

A fold holds out whole corpora of genuine recordings. Fakes of their voices keep their studio, and members that know a
studio by fakes alone call all of it fake. The same goes for a page of examples and what its sound went through: members
that know a page by its genuine clips alone clear its fakes.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from training.common.manifest import Sample

VOICES: Mapping[str, str] = {
    "aishell": r"aishell|SSB\d{4}|BAC009|(hce|msc|calm)spk",
    "daps": r"script\d_cleanraw",
    "jp": r"csjA|jvs",
    "libri": r"libri|(?<![A-Za-z0-9])ls\d{2,4}(?!\d)|(?<![A-Za-z0-9])\d{2,5}[_-]\d{3,6}[_-]\d{4,6}(?!\d)",
    "lj": r"lj[ _-]?speech|LJ\d{3}-|(?<![a-z])(lj|slt|bdl|rms|clb)(?![a-z])|arctic|thorsten|google_wg",
    "ravdess": r"rvd_bm|ravdess|\besd\b|\bemov|\bemd\b",
    "vctk": r"vctk|assem_demo|vits2_u|s2vc|fragvc|(?<![A-Za-z0-9])p(22[5-9]|2[3-9]\d|3[0-7]\d)(?!\d)",
}
"""Families of genuine recordings, and what is in the names that a fake comes with where its voice is of one of them."""
NAMES = ("generator_or_source", "speaker_id", "src_path", "group")


def voices_of(fake: Sample) -> set[str]:
    """The families of genuine recordings that a fake's voice is from, as far as its names tell."""
    names = "\n".join(fake.fields.get(column, "") for column in NAMES)
    return {family for family, pattern in VOICES.items() if re.search(pattern, names, re.IGNORECASE)}


def hold_out_voices(samples: Sequence[Sample], known: Sequence[Sample]) -> list[Sample]:
    """Samples that are also held out with what they share a voice or a page of examples with.

    Fakes in every fold that holds out genuine clips of their voice's family, and in the one that holds out most of the
    genuine clips of their `origin`; genuine clips in every fold that holds out a fake of their `origin`. A fake of
    which the manifest itself says what it is also held out with, as of a local copy, stays so, and its `origin` is not
    its own.
    """
    families: dict[str, set[int]] = {family: set() for family in VOICES}
    pages: tuple[dict[str, Counter[int]], ...] = (defaultdict(Counter), defaultdict(Counter))
    for sample in known:
        if not sample.label:
            families.get(sample.family, set()).add(sample.fold)
        if (origin := sample.fields.get("origin")) and not sample.also_held_out:
            pages[sample.label][origin][sample.fold] += 1
    genuine = {name: {fold for fold, n in of.items() if 2 * n > of.total()} for name, of in pages[0].items()}

    def held(sample: Sample) -> Sample:
        origin = sample.fields.get("origin", "")
        if not sample.label:
            folds = set(pages[1].get(origin, ())) - {sample.fold}
            return replace(sample, also_held_out=sample.also_held_out | folds)
        if sample.also_held_out:
            return sample
        folds = genuine.get(origin, set()).union(*(families[name] for name in voices_of(sample)))
        return replace(sample, also_held_out=frozenset(folds))

    return [held(sample) for sample in samples]
