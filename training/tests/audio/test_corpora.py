from __future__ import annotations

from pathlib import Path

import pytest

from training.audio.corpora import hold_out_voices, voices_of
from training.common.manifest import Sample, split


def sample(label: int, fold: int, family: str, **fields: str) -> Sample:
    return Sample(Path("x.flac"), label, fold, family, fields.get("generator_or_source", family), fields=fields)


@pytest.mark.parametrize(
    ("column", "name", "families"),
    [
        ("speaker_id", "lvcvc-p225top247", {"vctk"}),
        ("src_path", "demo/VCTK_v0.2.1/900000/p236-148.wav", {"vctk"}),
        ("src_path", "wavs/LJSpeech/iSTFTNet/LJ026-0039.wav", {"lj"}),
        ("src_path", "docs/wavs/u2u-f2m-clb_b0503-rms.wav", {"lj"}),
        ("src_path", "unseen/c32/1089_134686_000007_000005.wav", {"libri"}),
        ("speaker_id", "gradss_ls3729", {"libri"}),
        ("src_path", "comparison/1188-133604-0014_wav_p_0.wav", {"libri"}),
        ("group", "en/record/SSB00800390.wav", {"aishell"}),
        ("speaker_id", "adaspeech_libritts01", {"libri"}),
        ("src_path", "wav4/DVT/A02M0012_1199806_1206293.wav", set()),
        ("src_path", "result/sentence_1_20251027_154623.wav", set()),
        ("src_path", "demo/0.multiband.hifigan.light.845000.remove.wav", set()),
        ("speaker_id", "ko-KR-SunHiNeural", set()),
    ],
)
def test_a_fakes_names_tell_whose_voice_it_is(column: str, name: str, families: set[str]) -> None:
    assert voices_of(sample(1, 0, "vits", **{column: name})) == families


def test_a_fake_is_held_out_with_its_own_family_and_with_the_genuine_clips_of_its_voice() -> None:
    genuine = [sample(0, 1, "vctk"), sample(0, 2, "lj")]
    fakes = [sample(1, 4, "vc", speaker_id="vctk_p225"), sample(1, 4, "vc", speaker_id="somebody")]
    held = hold_out_voices([*genuine, *fakes], genuine)
    assert [s.also_held_out for s in held] == [set(), set(), {1}, set()]
    assert 2 in split(held, 2)[0]
    assert 2 not in split(held, 1)[0]
    assert 2 in split(held, 4)[1]


def test_a_page_of_examples_is_held_out_where_most_of_its_genuine_clips_are() -> None:
    genuine = [
        sample(0, fold, "somebody", origin=page) for page, fold in (("a", 3), ("a", 3), ("a", 0), ("b", 2), ("b", 3))
    ]
    genuine += [sample(0, 3, "somebody")] * 9
    fakes = [sample(1, 4, "vc", origin=page) for page in ("a", "b", "c", "")]
    assert [s.also_held_out for s in hold_out_voices(fakes, genuine)] == [{3}, set(), set(), set()]


def test_a_genuine_clip_is_held_out_with_every_fake_of_its_page() -> None:
    clip = sample(0, 1, "somebody", origin="a")
    fakes = [sample(1, fold, "vc", origin=page) for fold, page in ((1, "a"), (3, "a"), (4, "a"), (2, "b"), (0, ""))]
    held = hold_out_voices([clip, sample(0, 1, "somebody")], fakes)
    assert [s.also_held_out for s in held] == [{3, 4}, set()]


def test_what_a_manifest_says_counts() -> None:
    fake = Sample(Path("x.flac"), 1, 3, "gan", "local", "", frozenset({0}), {"speaker_id": "vctk_p225"})
    assert hold_out_voices([fake], [sample(0, 1, "vctk")]) == [fake]
