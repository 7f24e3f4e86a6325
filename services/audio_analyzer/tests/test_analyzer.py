"""Real files through the whole analyzer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from audio_analyzer.analyzer import AudioAnalyzer
from audio_analyzer.report import AudioReport
from audio_analyzer.settings import AudioSettings
from scipy.signal import resample_poly
from sg_common.analysis import AnalysisOptions, Job, Progress, Status
from sg_common.errors import BundleError, Cancelled, DeadlineExceeded, InvalidOption, MissingStream, NotMedia
from sg_common.verdict import DEFAULT_POLICY, Rates, Thresholds, Verdict

from testbed.audio_bundle import CALIBRATION, make_audio_bundle
from testbed.credentials import AI, Authority
from testbed.media import Film, Samples, Sound, cut, remux, write_audio, write_media
from testbed.speech import RATE, creatures, music, noise, silence, speech

SCORES_AGREE = 1e-3


def judge(analyzer: AudioAnalyzer, path: Path, job: Job | None = None) -> AudioReport:
    return analyzer.analyze(path, AnalysisOptions(), job or Job())


def recording(path: Path, samples: Samples, *, codec: str = "pcm_s16le", rate: int = RATE) -> Path:
    return write_audio(path, np.atleast_2d(samples), rate=rate, codec=codec)


def is_inconclusive(report: AudioReport, words: str) -> bool:
    return (
        report.status is Status.INCONCLUSIVE
        and report.verdict is Verdict.INCONCLUSIVE
        and report.deepfake_probability == 0.5
        and not (report.segments or report.voices or report.suspicious_segments)
        and words in (report.message or "")
    )


def test_speech_is_judged_with_evidence_along_the_timeline(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    samples = np.concatenate([noise(3, 1e-3), speech(8), noise(9, 1e-3), speech(5), noise(2, 1e-3)])
    report = judge(analyzer, recording(tmp_path / "call.wav", samples))
    assert report.status is Status.SUCCESS
    assert report.message is None
    assert report.verdict is not Verdict.INCONCLUSIVE
    assert 0 <= report.deepfake_probability <= 1
    assert report.audio_duration == pytest.approx(27, abs=0.01)
    assert report.speech_duration == pytest.approx(13, abs=1)
    assert report.sample_rate == 16000
    assert report.model.name == "difference-ratio"
    assert report.processing_seconds > 0
    for segment in report.segments:
        assert (2.5 < segment.start < segment.end < 11.6) or (19.5 < segment.start < segment.end < 25.6)
    assert len({segment.deepfake_probability for segment in report.segments}) > 1
    (voice,) = report.voices
    assert (voice.voice, voice.channel) == (1, None)
    assert voice.first_heard == report.segments[0].start
    assert voice.last_heard == pytest.approx(report.segments[-1].end, abs=0.5)
    assert voice.speech_seconds == report.speech_duration
    assert (voice.deepfake_probability, voice.verdict) == (report.deepfake_probability, report.verdict)


def test_the_score_is_the_models_own(detector_dir: Path, settings: AudioSettings, tmp_path: Path) -> None:
    path = recording(tmp_path / "clip.wav", speech(6))
    first = judge(AudioAnalyzer(settings), path).deepfake_probability
    shifted = make_audio_bundle(tmp_path / "shifted", calibration={**CALIBRATION, "bias": CALIBRATION["bias"] + 1})
    second = judge(AudioAnalyzer(settings.model_copy(update={"model_dir": shifted})), path).deepfake_probability
    assert np.log(second / (1 - second)) == pytest.approx(np.log(first / (1 - first)) + 1, abs=0.01)


def test_the_policys_thresholds_make_the_verdict(
    analyzer: AudioAnalyzer, settings: AudioSettings, tmp_path: Path
) -> None:
    path = recording(tmp_path / "clip.wav", speech(6))
    usual = judge(analyzer, path)
    assert (usual.policy, usual.policy_rates) == (DEFAULT_POLICY, None)
    assert usual.thresholds == Thresholds.model_validate(CALIBRATION["thresholds"])
    assert usual.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(InvalidOption, match="not been measured for high_recall; it has low_false_alarm"):
        analyzer.analyze(path, AnalysisOptions(policy="high_recall"), Job())

    worth = {"false_alarm_rate": 0.05, "false_alarm_interval": (0.0, 0.1), "detection_rate": 0.5}
    bold = {"likely_authentic": 0.001, "likely_deepfake": usual.probability}
    points = {"low_false_alarm": {**CALIBRATION["thresholds"], **worth}, "high_recall": {**bold, **worth}}
    measured = make_audio_bundle(tmp_path / "measured", calibration={**CALIBRATION, "operating_points": points})
    other = AudioAnalyzer(settings.model_copy(update={"model_dir": measured}))
    report = other.analyze(path, AnalysisOptions(policy="high_recall"), Job())
    assert report.probability == usual.probability
    assert report.verdict is Verdict.LIKELY_DEEPFAKE
    assert report.thresholds == Thresholds.model_validate(bold)
    assert report.policy_rates == Rates.model_validate(worth)


def test_what_the_file_claims_changes_no_score(settings: AudioSettings, tmp_path: Path) -> None:
    authority = Authority.new()
    (tmp_path / "anchors.pem").write_bytes(authority.anchor)
    trusting = AudioAnalyzer(settings.model_copy(update={"c2pa_anchors": tmp_path / "anchors.pem"}))
    plain = recording(tmp_path / "plain.wav", speech(6))
    signed = authority.sign(plain, tmp_path / "signed.wav", AI)
    before, after = judge(trusting, plain), judge(trusting, signed)
    assert before.provenance is not None
    assert not before.provenance.c2pa.present
    assert after.provenance is not None
    assert after.provenance.c2pa.trusted
    assert after.provenance.c2pa.ai_generated
    assert (after.probability, after.verdict) == (before.probability, before.verdict)


def test_a_voice_between_turns_is_named_in_its_place(settings: AudioSettings, tmp_path: Path) -> None:
    parts = {"temperature": 0.5, "bias": -3.0, "level": 1.4, "between": 0.5, "within": 0.1, "chances": 0.2}
    bundle = make_audio_bundle(tmp_path / "parts", calibration={**CALIBRATION, "bias": -4.0, "stretches": parts})
    genuine = speech(30)
    made = np.diff(0.7 * genuine[: 9 * RATE], prepend=0).astype(np.float32) + 0.3 * genuine[: 9 * RATE]
    turns = [genuine[: 16 * RATE], noise(0.4, 1e-3), made, noise(0.4, 1e-3), genuine[16 * RATE :]]
    path = recording(tmp_path / "call.wav", np.concatenate(turns))
    report = judge(AudioAnalyzer(settings.model_copy(update={"model_dir": bundle})), path)
    (stretch,) = report.suspicious_segments
    assert (stretch.start, stretch.end) == pytest.approx((16.4, 25.4), abs=1)
    assert report.verdict is Verdict.LIKELY_DEEPFAKE
    assert report.deepfake_probability == stretch.deepfake_probability


def test_a_codecs_stream_is_judged_by_its_own_calibration(
    analyzer: AudioAnalyzer, settings: AudioSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="audio_analyzer")
    entry = {"codec": "opus", "bit_rate": 40000, "temperature": 0.5, "bias": CALIBRATION["bias"] - 1}
    other = make_audio_bundle(tmp_path / "codecs", calibration={**CALIBRATION, "codecs": [entry]})
    aware = AudioAnalyzer(settings.model_copy(update={"model_dir": other}))
    wide = np.repeat(speech(6), 48000 // RATE)[None]
    for bit_rate, moved in (("24k", 1.0), ("96k", 0.0)):
        path = write_audio(
            tmp_path / f"{bit_rate}.ogg", wide, rate=48000, codec="libopus", options={"b": bit_rate, "vbr": "off"}
        )
        before, after = (judge(a, path) for a in (analyzer, aware))
        for first, second in (
            (before.deepfake_probability, after.deepfake_probability),
            (before.segments[0].deepfake_probability, after.segments[0].deepfake_probability),
        ):
            assert np.log(second / (1 - second)) == pytest.approx(np.log(first / (1 - first)) - moved, abs=0.02)
        told = [
            [reason.text for reason in report.reasons if reason.code == "low_bit_rate"] for report in (before, after)
        ]
        assert told[0] == []
        assert [bool(re.search(r"compressed to 2\d kbit/s", text)) for text in told[1]] == [True] * int(moved)
    assert caplog.text.count("judged by its codec's own calibration") == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: silence(8), "silent"),
        (lambda: noise(8, 1e-5), "silent"),
        (lambda: noise(8, 0.02), "No speech was found"),
        (lambda: music(20), "No speech was found"),
        (lambda: np.concatenate([silence(3), speech(1.3), silence(3)]), "s of speech were found and 2 s are needed"),
        (lambda: np.clip(300 * speech(8), -1, 1), "clipped"),
        (lambda: silence(0.01), "silent"),
        (lambda: silence(0), "empty"),
        (lambda: resample_poly(resample_poly(speech(8), 1, 4), 4, 1), "4 kHz or less"),
        (lambda: creatures(20) * 10 ** (-45 / 20), "s of speech were found and 2 s are needed"),
    ],
)
def test_what_cannot_be_judged_is_said(
    analyzer: AudioAnalyzer, tmp_path: Path, make: Callable[[], Samples], words: str
) -> None:
    report = judge(analyzer, recording(tmp_path / "clip.wav", make()))
    assert is_inconclusive(report, words), report


def test_eight_channels(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    voice = speech(6)
    path = write_audio(tmp_path / "eight.wav", np.tile(voice, (8, 1)), rate=RATE)
    report = judge(analyzer, path)
    alone = judge(analyzer, recording(tmp_path / "one.wav", voice))
    assert report.status is Status.SUCCESS
    assert report.deepfake_probability == pytest.approx(alone.deepfake_probability, abs=0.02)


def test_people_on_a_channel_each_are_judged_apart(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    one, other = speech(30), np.convolve(np.roll(speech(30), 90000), [0.5, 0.5], "same").astype(np.float32)
    turns = (np.arange(one.size) // (5 * RATE) % 2).astype(np.float32)
    channels = np.stack([turns * one, (1 - turns) * other])
    report = judge(analyzer, write_audio(tmp_path / "call.wav", channels, rate=RATE))
    alone = [judge(analyzer, recording(tmp_path / f"{n}.wav", channel)) for n, channel in enumerate(channels)]
    assert [(voice.voice, voice.channel) for voice in report.voices] == [(1, 1), (2, 2)]
    for voice, single in zip(report.voices, alone, strict=True):
        assert voice.deepfake_probability == pytest.approx(single.deepfake_probability, abs=0.01)
        assert voice.speech_seconds == pytest.approx(single.speech_duration, abs=0.1)
    assert report.deepfake_probability == max(voice.deepfake_probability for voice in report.voices)
    assert report.speech_duration < 30.1 < sum(voice.speech_seconds for voice in report.voices) + 1
    assert len(report.segments) == sum(len(single.segments) for single in alone)
    swapped = judge(analyzer, write_audio(tmp_path / "swapped.wav", channels[::-1].copy(), rate=RATE))
    assert [v.deepfake_probability for v in swapped.voices] == [v.deepfake_probability for v in report.voices][::-1]


def test_channels_that_part_on_the_way_share_what_was_before(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    voice = speech(40)
    other = voice.copy()
    other[20 * RATE :] = (np.arange(20 * RATE) // RATE % 2) * noise(20, 0.1)
    report = judge(analyzer, write_audio(tmp_path / "a.wav", np.stack([voice, other]), rate=RATE))
    first, second = report.voices
    assert first.speech_seconds == pytest.approx(40, abs=1)
    assert 17 < second.speech_seconds < 25
    assert second.last_heard < 25


@pytest.mark.parametrize("sign", [1, -0.3])
def test_channels_of_one_voice_are_judged_as_one(analyzer: AudioAnalyzer, tmp_path: Path, sign: float) -> None:
    voice = speech(12)
    report = judge(analyzer, write_audio(tmp_path / "a.wav", np.stack([voice, sign * voice]), rate=RATE))
    alone = judge(analyzer, recording(tmp_path / "b.wav", voice))
    (one,) = report.voices
    assert one.channel is None
    assert report.deepfake_probability == pytest.approx(alone.deepfake_probability, abs=0.01)


def test_a_channel_without_speech_is_no_voice(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    voice = np.concatenate([speech(5), silence(5)])
    channels = np.stack([noise(10, 0.003), voice])
    report = judge(analyzer, write_audio(tmp_path / "a.wav", channels, rate=RATE))
    assert [(one.voice, one.channel) for one in report.voices] == [(1, 2)]
    assert report.status is Status.SUCCESS
    assert "voice_unjudged" not in [reason.code for reason in report.reasons]
    assert "the right channel" in report.summary


def test_a_channel_with_too_little_speech_is_said_not_to_be_judged(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    channels = np.stack([np.concatenate([silence(1), speech(1.2), silence(7.8)]), 0.5 * speech(10)])
    report = judge(analyzer, write_audio(tmp_path / "a.wav", channels, rate=RATE))
    assert [one.verdict is Verdict.INCONCLUSIVE for one in report.voices] == [True, False]
    (told,) = [reason.text for reason in report.reasons if reason.code == "voice_unjudged"]
    assert re.match(r"Not judged was the voice on the left channel .*: Only \d\.\d s of speech were found", told)
    assert report.message is None


@pytest.mark.parametrize("decibel", [-40, -20, 3])
def test_the_level_does_not_matter(analyzer: AudioAnalyzer, tmp_path: Path, decibel: int) -> None:
    samples = np.concatenate([noise(1, 1e-3), speech(6), noise(2, 1e-3)])
    plain = judge(analyzer, recording(tmp_path / "plain.wav", samples, codec="pcm_f32le"))
    louder = (samples * 10 ** (decibel / 20)).astype(np.float32)
    report = judge(analyzer, recording(tmp_path / "louder.wav", louder, codec="pcm_f32le"))
    assert report.deepfake_probability == pytest.approx(plain.deepfake_probability, abs=0.02)
    assert report.speech_duration == pytest.approx(plain.speech_duration, abs=0.1)


@pytest.mark.parametrize(
    ("codec", "first", "others"),
    [
        ("aac", "m4a", ("mkv", "mov", "ts", "aac")),
        ("libmp3lame", "mp3", ("mkv", "mp4", "avi")),
        ("libopus", "ogg", ("webm", "mkv", "mp4")),
        ("flac", "flac", ("mkv", "ogg", "mp4")),
    ],
)
def test_a_remuxed_clip_has_the_same_scores(
    analyzer: AudioAnalyzer, tmp_path: Path, codec: str, first: str, others: tuple[str, ...]
) -> None:
    samples = np.concatenate([noise(1, 1e-3), speech(7), noise(4, 1e-3), speech(3)])
    rate = 48000 if codec == "libopus" else RATE
    wide = np.repeat(samples, rate // RATE)
    original = write_audio(tmp_path / f"clip.{first}", wide[None], rate=rate, codec=codec, options={"b": "64k"})
    expected = judge(analyzer, original)
    assert expected.status is Status.SUCCESS
    for other in others:
        container = {"ts": "mpegts", "aac": "adts", "mkv": "matroska"}.get(other, other)
        report = judge(analyzer, remux(original, tmp_path / f"remuxed.{other}", container=container))
        assert report.deepfake_probability == pytest.approx(expected.deepfake_probability, abs=SCORES_AGREE), other
        assert len(report.segments) == len(expected.segments), other


def test_the_sound_of_a_video_is_judged(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    sound = Sound(speech(5)[None], rate=RATE, codec="aac")
    report = judge(analyzer, write_media(tmp_path / "clip.mp4", film=Film(frames=150), sound=sound))
    assert report.status is Status.SUCCESS
    assert report.audio_duration == pytest.approx(5, abs=0.2)


def test_a_video_without_sound_has_no_stream_to_judge(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    path = write_media(tmp_path / "silent.mp4", film=Film(frames=30))
    with pytest.raises(MissingStream):
        judge(analyzer, path)


def test_what_is_no_media_is_refused(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    (tmp_path / "note.mp3").write_text("not a recording " * 200)
    with pytest.raises(NotMedia):
        judge(analyzer, tmp_path / "note.mp3")


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_the_batch_size_does_not_matter(settings: AudioSettings, tmp_path: Path, batch_size: int) -> None:
    path = recording(tmp_path / "clip.wav", speech(30))
    plain = judge(AudioAnalyzer(settings), path)
    report = judge(AudioAnalyzer(settings.model_copy(update={"audio_batch_size": batch_size})), path)
    assert report.segments == plain.segments
    assert report.deepfake_probability == plain.deepfake_probability


def test_many_segments_are_merged(settings: AudioSettings, tmp_path: Path) -> None:
    analyzer = AudioAnalyzer(settings.model_copy(update={"audio_max_segments": 7}))
    report = judge(analyzer, recording(tmp_path / "clip.wav", speech(30)))
    assert 1 < len(report.segments) <= 7
    assert report.segments[-1].end == pytest.approx(30, abs=0.5)


def test_long_speech_is_judged_evenly_within_a_budget(settings: AudioSettings, tmp_path: Path) -> None:
    path = recording(tmp_path / "clip.wav", speech(200))
    whole = judge(AudioAnalyzer(settings), path)
    report = judge(AudioAnalyzer(settings.model_copy(update={"audio_full_speech_seconds": 60})), path)
    assert len(whole.segments) > 190
    assert 30 <= len(report.segments) <= 60
    assert report.segments[0].start < 2
    assert report.segments[-1].end > 190
    assert report.speech_duration == whole.speech_duration
    assert report.deepfake_probability == pytest.approx(whole.deepfake_probability, abs=0.05)


def test_several_files_at_a_time(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    paths = [recording(tmp_path / f"{n}.wav", np.roll(speech(6 + n), 9000 * n)) for n in range(4)]
    alone = [judge(analyzer, path) for path in paths]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda path: judge(analyzer, path), paths * 2))
    assert [report.deepfake_probability for report in together] == [r.deepfake_probability for r in alone] * 2
    assert [report.segments for report in together] == [report.segments for report in alone] * 2


def test_progress_is_reported(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    seen: list[Progress] = []
    judge(analyzer, recording(tmp_path / "clip.wav", speech(45)), Job(on_progress=seen.append))
    assert len(seen) > 3
    assert [step.done for step in seen] == sorted(step.done for step in seen)
    assert seen[-1].done == seen[-1].total == pytest.approx(45)


def test_a_cancelled_job_stops(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    job = Job(on_progress=lambda _: job.cancel())
    with pytest.raises(Cancelled):
        judge(analyzer, recording(tmp_path / "clip.wav", speech(60)), job)


def test_a_deadline_stops(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    with pytest.raises(DeadlineExceeded):
        judge(analyzer, recording(tmp_path / "clip.wav", speech(5)), Job(deadline_seconds=0))


def test_a_tampered_bundle_is_refused(settings: AudioSettings, tmp_path: Path) -> None:
    folder = make_audio_bundle(tmp_path / "bundle")
    graph = folder / "model.fp32.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(BundleError, match="SHA-256"):
        AudioAnalyzer(settings.model_copy(update={"model_dir": folder}))


def test_a_bundle_of_another_task_is_refused(settings: AudioSettings) -> None:
    folder = settings.bundle_dir("voice_activity")
    with pytest.raises(BundleError, match="voice-activity"):
        AudioAnalyzer(settings.model_copy(update={"model_dir": folder}))


def test_speech_sampled_at_4_khz_is_not_judged_and_a_telephones_is(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    for rate, codec, judged in ((4000, "pcm_s16le", False), (8000, "pcm_s16le", True), (8000, "pcm_mulaw", True)):
        samples = resample_poly(speech(8), rate, RATE).astype(np.float32)
        report = judge(analyzer, recording(tmp_path / "a.wav", samples, codec=codec, rate=rate))
        assert is_inconclusive(report, "4 kHz or less") != judged
        assert (report.status is Status.SUCCESS) == judged


def test_times_are_the_files_own(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    """Sound that begins three seconds after the picture."""
    clip = write_media(tmp_path / "clip.mp4", film=Film(frames=150), sound=Sound(speech(5)[None], rate=RATE))
    plain = judge(analyzer, clip)
    late = judge(analyzer, remux(clip, tmp_path / "late.mp4", later={"audio": 3.0}))
    assert late.audio_duration == pytest.approx(plain.audio_duration + 3, abs=0.1)
    assert late.segments[0].start == pytest.approx(plain.segments[0].start + 3, abs=0.1)
    assert late.speech_duration == pytest.approx(plain.speech_duration, abs=0.2)


def test_a_cut_off_file_is_judged_and_said_to_be(analyzer: AudioAnalyzer, tmp_path: Path) -> None:
    whole = recording(tmp_path / "whole.wav", speech(10))
    assert judge(analyzer, whole).message is None
    for share, status in ((0.5, Status.SUCCESS), (0.1, Status.INCONCLUSIVE)):
        report = judge(analyzer, cut(whole, tmp_path / "part.wav", share))
        assert report.status is status
        assert "cut off: its header promises more than is there" in (report.message or "")
