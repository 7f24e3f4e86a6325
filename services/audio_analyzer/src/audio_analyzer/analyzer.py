"""Speech in, evidence out: the audio analyzer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from sg_common.analysis import UNKNOWN_PROBABILITY, AnalysisOptions, Job, LoadedModel, Status, sha256_of
from sg_common.bundle.calibration import VoiceCalibration
from sg_common.media import AudioReader, open_audio, read_provenance
from sg_common.verdict import Policy, Verdict
from sg_common.words import shared
from sg_common.words.phrases import Finding

from audio_analyzer import words
from audio_analyzer.model import SAMPLE_RATE, VoiceModel
from audio_analyzer.quality import BandMeter, CrestMeter, Quality, refusal
from audio_analyzer.report import AudioReport, Segment, SuspiciousSegment, Voice
from audio_analyzer.scoring import ScoredWindow, WindowScorer, segments, suspicious_segments
from audio_analyzer.settings import AudioSettings
from audio_analyzer.speech import Piece, SpeechStream, VoiceActivity
from audio_analyzer.windows import LONGEST_PAUSE_SECONDS, Windower

log = logging.getLogger(__name__)


class AudioAnalyzer:
    """Judges the speech of media files. `analyze` may run in several threads at a time."""

    kind: ClassVar[str] = "audio"

    def __init__(self, model: VoiceModel, voice_activity: VoiceActivity, settings: AudioSettings) -> None:
        self._model = model
        self._voice_activity = voice_activity
        self._settings = settings

    @property
    def model(self) -> LoadedModel:
        return self._model.info

    def check(self, options: AnalysisOptions) -> None:
        self._model.calibration.at(options.policy)

    def analyze(self, path: Path, options: AnalysisOptions, job: Job) -> AudioReport:
        """Judge the speech of one local media file, audio or video, at the policy's operating point.

        Raises:
            InvalidOption: the bundle has no such operating point.
            NotMedia, MissingStream, Undecodable, LimitExceeded: the file; see `open_audio`.
            Cancelled, DeadlineExceeded: from the job.
        """
        self.check(options)
        limits = self._settings.decode_limits()
        with open_audio(path, sample_rate=SAMPLE_RATE, limits=limits, job=job) as reader:
            analysis = _Analysis(
                self._model, self._voice_activity, self._settings, policy=options.policy, path=path, job=job
            )
            return analysis.run(reader)


class _Analysis:
    """One file on its way through speech detection, windows and model; holds what must not be shared."""

    def __init__(
        self,
        model: VoiceModel,
        voice_activity: VoiceActivity,
        settings: AudioSettings,
        *,
        policy: Policy,
        path: Path,
        job: Job,
    ) -> None:
        spec = model.input
        self._model = model
        self._settings = settings
        self._policy: Policy = policy
        self._path = path
        self._job = job
        self._speech = SpeechStream(voice_activity)
        self._windower = Windower(spec.window, spec.hop, round(LONGEST_PAUSE_SECONDS * SAMPLE_RATE))
        limit = max(1, round(settings.audio_full_speech_seconds / spec.hop_seconds))
        self._scorer = WindowScorer(model, settings.audio_batch_size, limit)
        self._crest = CrestMeter()
        self._band = BandMeter(SAMPLE_RATE)

    def run(self, reader: AudioReader) -> AudioReport:
        self._claims = reader.claims
        expected_seconds = reader.info.duration or 0.0
        for block in reader:
            self._take(self._speech.feed(block))
            done = self._speech.total / SAMPLE_RATE
            self._job.progress(done, max(expected_seconds, done) if expected_seconds else 0.0)
        self._take(self._speech.finish())
        for window in self._windower.finish():
            self._scorer.add(window)
        self._job.check()
        scored = self._scorer.finish()
        self._job.progress(self._speech.total / SAMPLE_RATE, self._speech.total / SAMPLE_RATE)
        calibration = self._model.calibration.for_stream(reader.info.codec, reader.bit_rate)
        return self._report(scored, calibration, reader)

    def _take(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self._job.check()
            self._crest.add(piece.samples)
            self._band.add(piece.samples)
            for window in self._windower.feed(piece):
                if self._scorer.add(window):
                    self._job.check()

    def _report(self, scored: list[ScoredWindow], calibration: VoiceCalibration, reader: AudioReader) -> AudioReport:
        quality = Quality(
            audio_seconds=self._speech.total / SAMPLE_RATE,
            speech_seconds=self._speech.speech / SAMPLE_RATE,
            peak=self._speech.peak,
            crest_db=self._crest.crest_db(),
            sample_rate=reader.info.sample_rate,
            band_db=self._band.band_db(),
        )
        cut_off = [shared.CUT_OFF()] if reader.cut_off else []
        refused = refusal(quality, self._model.input.min_speech_seconds)
        finite = [window for window in scored if np.isfinite(window.logit)]
        if len(finite) < len(scored):
            log.warning("the model gave no finite score", extra={"windows": len(scored) - len(finite)})
        if refused is None and not finite:
            refused = words.UNSCORABLE()
        if refused is not None:
            return self._answer(quality, [refused, *cut_off], UNKNOWN_PROBABILITY, Verdict.INCONCLUSIVE)
        score = calibration.aggregate([window.logit for window in finite])
        judged = calibration.verdict(score, self._policy)
        voice = Voice(
            voice=1,
            channel=None,
            first_heard=finite[0].start / SAMPLE_RATE,
            last_heard=finite[-1].end / SAMPLE_RATE,
            speech_seconds=quality.speech_seconds,
            deepfake_probability=score,
            verdict=judged,
        )
        suspicious: list[SuspiciousSegment] = []
        if judged is not Verdict.LIKELY_AUTHENTIC:
            suspicious = suspicious_segments(finite, calibration, calibration.at(self._policy))
        return self._answer(
            quality,
            cut_off,
            score,
            judged,
            evidence=segments(finite, calibration, self._settings.audio_max_segments),
            voices=[voice],
            suspicious=suspicious,
            notes=self._notes(calibration, reader),
        )

    def _notes(self, calibration: VoiceCalibration, reader: AudioReader) -> list[Finding]:
        if calibration is self._model.calibration:
            return []
        stream = {"codec": reader.info.codec, "bit_rate": round(reader.bit_rate)}
        log.info("judged by its codec's own calibration", extra=stream)
        return [words.LOW_BIT_RATE(kilobits=f"{reader.bit_rate / 1000:.0f}")]

    def _answer(
        self,
        quality: Quality,
        limits: Sequence[Finding],
        score: float,
        judged: Verdict,
        *,
        evidence: Sequence[Segment] = (),
        voices: Sequence[Voice] = (),
        suspicious: Sequence[SuspiciousSegment] = (),
        notes: Sequence[Finding] = (),
    ) -> AudioReport:
        point = self._model.calibration.at(self._policy)
        return AudioReport(
            deepfake_probability=score,
            verdict=judged,
            status=Status.INCONCLUSIVE if judged is Verdict.INCONCLUSIVE else Status.SUCCESS,
            policy=self._policy,
            thresholds=point.alone,
            policy_rates=point.rates,
            sha256=sha256_of(self._path, self._job),
            provenance=read_provenance(
                self._path,
                self._claims,
                checks=self._settings.credential_checks(),
                limits=self._settings.decode_limits(),
                job=self._job,
            ),
            audio_duration=quality.audio_seconds,
            speech_duration=quality.speech_seconds,
            sample_rate=SAMPLE_RATE,
            segments=list(evidence),
            voices=list(voices),
            suspicious_segments=list(suspicious),
            model=self._model.info,
            processing_seconds=self._job.elapsed(),
            limits=tuple(limits),
            notes=tuple(notes),
        )


def build_analyzer(settings: AudioSettings) -> AudioAnalyzer:
    """Load both bundles.

    Raises:
        BundleError: a bundle must not be served.
    """
    runtime = settings.runtime()
    model_dir = settings.model_dir or settings.bundle_dir("audio")
    voice_activity_dir = settings.voice_activity_dir or settings.bundle_dir("voice_activity")
    model = VoiceModel.load(model_dir, runtime, settings.model_variant)
    return AudioAnalyzer(model, VoiceActivity.load(voice_activity_dir, runtime), settings)
