"""The audio analyzer's answer."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field
from sg_common.analysis import Answer, Report
from sg_common.verdict import Verdict
from sg_common.words.phrases import Finding
from sg_common.words.shared import number, when

from audio_analyzer import words

SHOWN = 3
"""Stretches that the words name; the rest are counted."""

Seconds = Annotated[float, Field(ge=0, description="seconds on the file's timeline")]
Probability = Annotated[float, Field(ge=0, le=1)]
Channel = Annotated[
    int | None, Field(ge=1, description="the channel that it is heard on, the first is 1; null where all are one")
]
VoiceNumber = Annotated[int, Field(ge=1, description="number of the voice, in order of channels")]


class Segment(Answer):
    """A judged stretch of the file; neighbours overlap as the windows do."""

    start: Seconds
    end: Seconds
    deepfake_probability: Probability


class Voice(Answer):
    """What is judged as one voice: the speech of a channel, or of all channels that carry the same."""

    voice: VoiceNumber
    channel: Channel
    first_heard: Seconds
    last_heard: Seconds
    speech_seconds: float = Field(ge=0)
    deepfake_probability: Probability = Field(description="0.5 (unknown) where there is too little speech to judge it")
    verdict: Verdict

    def place(self) -> dict[str, Finding]:
        """Who it is and when it is heard, as parts of a sentence."""
        return {"who": words.who(self.channel), "when": when(self.first_heard, self.last_heard)}


class SuspiciousSegment(Answer):
    """A stretch that a person should listen to."""

    start: Seconds
    end: Seconds
    channel: Channel
    voice: VoiceNumber
    deepfake_probability: Probability

    def place(self) -> dict[str, Finding]:
        """Whose it is and when it is heard, as parts of a sentence."""
        return {"who": words.who(self.channel), "when": when(self.start, self.end)}


class AudioReport(Report):
    """How likely the speech is synthetic, cloned or converted, and the evidence along the timeline."""

    score_field: ClassVar[str] = "deepfake_probability"

    deepfake_probability: float = Field(ge=0, le=1, description="0.5 when nothing could be judged; see status")
    audio_duration: float = Field(ge=0, description="seconds from the timeline's beginning to the end of the sound")
    speech_duration: float = Field(ge=0, description="seconds of it that hold speech")
    sample_rate: int = Field(description="Hz that the model saw")
    segments: list[Segment]
    voices: list[Voice] = Field(description="every voice that was heard; the most suspicious one decides")
    suspicious_segments: list[SuspiciousSegment] = Field(
        description="strongest first; empty unless the verdict is uncertain or likely_deepfake"
    )

    def headline(self) -> Finding:
        suspects = self._suspects()
        match self.verdict:
            case Verdict.LIKELY_DEEPFAKE if suspects:
                return words.PROBABLY_MADE(**suspects[0].place())
            case Verdict.UNCERTAIN if suspects:
                return words.SOME_SIGNS(**suspects[0].place())
            case Verdict.LIKELY_AUTHENTIC:
                return words.NO_SIGN(seconds=f"{self.speech_duration:.0f}")
        return super().headline()

    def findings(self) -> list[Finding]:
        if self.verdict is Verdict.INCONCLUSIVE:
            return []
        if self.verdict is Verdict.LIKELY_AUTHENTIC:
            return [
                words.NOTHING_FOUND(**voice.place(), seconds=f"{voice.speech_seconds:.0f}")
                for voice in self.voices
                if voice.verdict is Verdict.LIKELY_AUTHENTIC
            ]
        suspects = self._suspects()
        found = [self._suspicion(suspect) for suspect in suspects[:SHOWN]]
        if more := len(suspects) - len(found):
            found.append(words.MORE_STRETCHES(count=more))
        return found

    def _suspicion(self, suspect: SuspiciousSegment | Voice) -> Finding:
        score = suspect.deepfake_probability
        called = self.thresholds.verdict(score) is Verdict.LIKELY_DEEPFAKE
        say = words.VOICE_SUSPICIOUS if called else words.VOICE_DOUBTFUL
        return say(**suspect.place(), score=number(score))

    def scope(self) -> list[Finding]:
        return [words.SCOPE()]

    def _suspects(self) -> list[SuspiciousSegment | Voice]:
        """What to listen to, strongest first: suspicious stretches, and voices as suspicious that have none."""
        named = {segment.voice for segment in self.suspicious_segments}
        whole = [voice for voice in self.voices if voice.verdict is self.verdict and voice.voice not in named]
        return sorted([*self.suspicious_segments, *whole], key=lambda suspect: -suspect.deepfake_probability)
