"""Speech in, evidence out: the audio analyzer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from sg_common.analysis import UNKNOWN_PROBABILITY, AnalysisOptions, Job, LoadedModel, Status, sha256_of
from sg_common.media import AudioReader, open_audio, read_provenance
from sg_common.verdict import Policy, Verdict
from sg_common.words import shared
from sg_common.words.phrases import Finding

from audio_analyzer import words
from audio_analyzer.channel import Channel, union_seconds
from audio_analyzer.model import SAMPLE_RATE, VoiceModel
from audio_analyzer.quality import Quality, refusal
from audio_analyzer.report import AudioReport, Segment, SuspiciousSegment, Voice
from audio_analyzer.scoring import ScoredWindow
from audio_analyzer.settings import AudioSettings
from audio_analyzer.speech import VoiceActivity
from audio_analyzer.voices import HeardVoice, judge, segments, suspicious_segments

log = logging.getLogger(__name__)


class AudioAnalyzer:
    """Judges the speech of media files. Loading checks the bundles; `analyze` may run in several threads.

    Raises:
        BundleError: a bundle must not be served.
    """

    kind: ClassVar[str] = "audio"

    def __init__(self, settings: AudioSettings) -> None:
        self._settings = settings
        runtime = settings.runtime()
        self._model = VoiceModel.load(
            settings.model_dir or settings.bundle_dir("audio"), runtime, settings.model_variant
        )
        self._voice_activity = VoiceActivity.load(
            settings.voice_activity_dir or settings.bundle_dir("voice_activity"), runtime
        )

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
            channels = (Channel(self._model, self._voice_activity, self._settings, job),)
            return _Analysis(self._model, self._settings, options.policy, path, job, reader, channels).run()


@dataclass
class _Analysis:
    """One file on its way through channels and voices; holds what must not be shared."""

    model: VoiceModel
    settings: AudioSettings
    policy: Policy
    path: Path
    job: Job
    reader: AudioReader
    channels: tuple[Channel, ...]

    def run(self) -> AudioReport:
        expected_seconds = self.reader.info.duration or 0.0
        for block in self.reader:
            if len(block) > len(self.channels):
                self.channels = self.channels[0].apart()
            for channel, samples in zip(self.channels, block, strict=True):
                channel.feed(samples)
            done = self.channels[0].samples / SAMPLE_RATE
            self.job.progress(done, max(expected_seconds, done) if expected_seconds else 0.0)
        scored = [channel.finish() for channel in self.channels]
        done = self.channels[0].samples / SAMPLE_RATE
        self.job.progress(done, done)
        return self._report(scored)

    def _report(self, scored: Sequence[list[ScoredWindow]]) -> AudioReport:
        cut_off = [shared.CUT_OFF()] if self.reader.cut_off else []
        qualities = [channel.quality(self.reader.info.sample_rate) for channel in self.channels]
        refusals = [self._refusal(*channel) for channel in zip(qualities, scored, strict=True)]
        refused = [why for why in refusals if why is not None]
        if len(refused) == len(refusals):
            most = max(range(len(qualities)), key=lambda number: qualities[number].speech_seconds)
            return self._answer(UNKNOWN_PROBABILITY, Verdict.INCONCLUSIVE, [refused[most], *cut_off])
        heard, voices = self._voices(qualities, scored, refusals)
        score = max(voice.judgement.probability for voice in heard)
        judged = self.model.calibration.verdict(score, self.policy)
        return self._answer(
            score,
            judged,
            cut_off,
            segments=segments(heard, self.model.calibration, self.settings.audio_max_segments),
            voices=voices,
            notes=self._notes(refusals),
            suspicious_segments=[] if judged is Verdict.LIKELY_AUTHENTIC else suspicious_segments(heard),
        )

    def _refusal(self, quality: Quality, scored: Sequence[ScoredWindow]) -> Finding | None:
        refused = refusal(quality, self.model.input.min_speech_seconds)
        return words.UNSCORABLE() if refused is None and not scored else refused

    def _voices(
        self,
        qualities: Sequence[Quality],
        scored: Sequence[list[ScoredWindow]],
        refusals: Sequence[Finding | None],
    ) -> tuple[list[HeardVoice], list[Voice]]:
        """The voices that are judged, and what is said of all that were heard."""
        calibration = self.model.calibration
        stream = calibration.for_stream(self.reader.info.codec, self.reader.bit_rate)
        if stream is not calibration:
            known = {"codec": self.reader.info.codec, "bit_rate": round(self.reader.bit_rate)}
            log.info("judged by its codec's own calibration", extra=known)
        of = sum(len(windows) for windows, why in zip(scored, refusals, strict=True) if why is None)
        heard: list[HeardVoice] = []
        voices: list[Voice] = []
        for place, (windows, quality, why) in enumerate(zip(scored, qualities, refusals, strict=True)):
            if not (spans := self.channels[place].spans):
                continue
            number, channel = len(voices) + 1, place + 1 if len(scored) > 1 else None
            score, verdict = UNKNOWN_PROBABILITY, Verdict.INCONCLUSIVE
            if why is None:
                logits = calibration.as_common([window.logit for window in windows], stream)
                sounds = np.stack([window.sound for window in windows])
                judgement = judge(logits, sounds, quality.speech_seconds, of, calibration, policy=self.policy)
                heard.append(HeardVoice(number, channel, windows, logits, judgement))
                score, verdict = judgement.probability, calibration.verdict(judgement.probability, self.policy)
            voices.append(
                Voice(
                    voice=number,
                    channel=channel,
                    first_heard=spans[0][0] / SAMPLE_RATE,
                    last_heard=spans[-1][1] / SAMPLE_RATE,
                    speech_seconds=quality.speech_seconds,
                    deepfake_probability=score,
                    verdict=verdict,
                )
            )
        return heard, voices

    def _notes(self, refusals: Sequence[Finding | None]) -> Iterator[Finding]:
        calibration = self.model.calibration
        if calibration.for_stream(self.reader.info.codec, self.reader.bit_rate) is not calibration:
            yield words.LOW_BIT_RATE(kilobits=f"{self.reader.bit_rate / 1000:.0f}")
        for number, (channel, why) in enumerate(zip(self.channels, refusals, strict=True), 1):
            if why is not None and channel.spans:
                heard = shared.when(channel.spans[0][0] / SAMPLE_RATE, channel.spans[-1][1] / SAMPLE_RATE)
                yield words.VOICE_UNJUDGED(who=words.who(number), when=heard, why=why)

    def _answer(
        self,
        score: float,
        judged: Verdict,
        limits: Sequence[Finding],
        *,
        segments: Sequence[Segment] = (),
        voices: Sequence[Voice] = (),
        notes: Iterable[Finding] = (),
        suspicious_segments: Sequence[SuspiciousSegment] = (),
    ) -> AudioReport:
        point = self.model.calibration.at(self.policy)
        return AudioReport(
            deepfake_probability=score,
            verdict=judged,
            status=Status.INCONCLUSIVE if judged is Verdict.INCONCLUSIVE else Status.SUCCESS,
            policy=self.policy,
            thresholds=point.alone,
            policy_rates=point.rates,
            sha256=sha256_of(self.path, self.job),
            provenance=read_provenance(
                self.path,
                self.reader.claims,
                checks=self.settings.credential_checks(),
                limits=self.settings.decode_limits(),
                job=self.job,
            ),
            audio_duration=self.channels[0].samples / SAMPLE_RATE,
            speech_duration=union_seconds([channel.spans for channel in self.channels]),
            sample_rate=SAMPLE_RATE,
            segments=list(segments),
            voices=list(voices),
            suspicious_segments=list(suspicious_segments),
            model=self.model.info,
            processing_seconds=self.job.elapsed(),
            limits=tuple(limits),
            notes=tuple(notes),
        )
