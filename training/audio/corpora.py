"""Hold a fake out together with the genuine recordings of its voice.

A fold holds out whole corpora of genuine recordings. Fakes of their voices keep their studio, and members that know a
studio by fakes alone call all of it fake. The same goes for a page of examples and what its sound went through.
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


def hold_out_voices(samples: Sequence[Sample], genuine: Sequence[Sample]) -> list[Sample]:
    """Samples whose fakes are also held out in every fold that holds out genuine clips of their voice's family, and in
    the one that holds out most of the genuine clips of their `origin`.

    Where a manifest itself says what a sample is also held out with, as for local copies, that counts.
    """
    families: dict[str, set[int]] = {family: set() for family in VOICES}
    origins: dict[str, Counter[int]] = defaultdict(Counter)
    for sample in genuine:
        families.get(sample.family, set()).add(sample.fold)
        origins[sample.fields.get("origin", "")][sample.fold] += 1
    origins.pop("", None)
    pages = {name: {fold for fold, n in of.items() if 2 * n > of.total()} for name, of in origins.items()}

    def held(sample: Sample) -> Sample:
        if not sample.label or sample.also_held_out:
            return sample
        page = pages.get(sample.fields.get("origin", ""), set())
        return replace(sample, also_held_out=frozenset(page.union(*(families[name] for name in voices_of(sample)))))

    return [held(sample) for sample in samples]
