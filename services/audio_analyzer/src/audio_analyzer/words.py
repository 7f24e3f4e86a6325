"""What the audio analyzer says to a person."""

from __future__ import annotations

from functools import partial

from sg_common.words.phrases import Finding, Phrase

# `make words` finds phrases by these names: `counted` have a plural, `said` are no reasons of their own.
reason = partial(Phrase, "audio_analyzer")
counted = partial(Phrase, "audio_analyzer")
said = partial(Phrase, "audio_analyzer", "")

THE_VOICE = said("the voice")
VOICE_ON = said("the voice on {channel}")
LEFT = said("the left channel")
RIGHT = said("the right channel")
CHANNEL = said("channel {number}")

PROBABLY_MADE = said(
    "Probably made or changed by software: {who} {when}; "
    "before you act on it, reach the person on a number that you already know."
)
SOME_SIGNS = said(
    "Some signs of a made or changed voice, too few to call it one: {who} {when}; treat the recording as unchecked."
)
NO_SIGN = said(
    "No sign of a made or changed voice was found in {seconds} s of speech, which does not prove that it is genuine."
)

VOICE_SUSPICIOUS = reason(
    "voice_suspicious",
    "Listen to {who} {when}: it has the signs of a synthetic, cloned or converted voice (score {score}).",
)
VOICE_DOUBTFUL = reason(
    "voice_doubtful", "Listen to {who} {when}: it has some signs of a made or changed voice (score {score})."
)
NOTHING_FOUND = reason(
    "nothing_found", "Judged was {who} {when}, {seconds} s of speech: no sign of a made or changed voice was found."
)
VOICE_UNJUDGED = reason("voice_unjudged", "Not judged was {who} {when}: {why}")
MORE_STRETCHES = counted(
    "more_stretches", "{count} more stretch has such signs.", "{count} more stretches have such signs."
)
LOW_BIT_RATE = reason(
    "low_bit_rate",
    "The sound is compressed to {kilobits} kbit/s, which hides some of what tells voices apart; "
    "the score allows for it.",
)
SCOPE = reason(
    "scope",
    "Only the sound of the voices was judged: not who is speaking, nor whether it is true, nor any picture. "
    "Ways of making voices that the model never met may pass.",
)

EMPTY = reason("empty", "The audio is empty; send a recording of the voice.")
TOO_QUIET = reason(
    "too_quiet", "The recording is silent; check the microphone or the file, and send one in which the voice is heard."
)
NO_SPEECH = reason(
    "no_speech",
    "No speech was found in {seconds} s of audio (silence, noise or music); "
    "send a recording in which the voice is heard.",
)
TOO_LITTLE_SPEECH = reason(
    "too_little_speech",
    "Only {found} s of speech were found and {needed} s are needed; send a longer recording of the voice.",
)
NARROW_BAND = reason(
    "narrow_band",
    "The speech was sampled at 4 kHz or less and has nothing above 2 kHz, too little to judge it by; "
    "send a recording made at 8 kHz or more, or the original file.",
)
OVERDRIVEN = reason(
    "overdriven",
    "The speech is so overdriven (clipped) that it cannot be judged; "
    "send a recording made at a lower level, or the original file.",
)
UNSCORABLE = reason("unscorable", "The model has no answer for this recording; send another recording of the voice.")


def who(channel: int | None) -> Finding:
    """The voice of a channel (the first is 1), or of all where None, as a part of a sentence."""
    match channel:
        case None:
            return THE_VOICE()
        case 1:
            return VOICE_ON(channel=LEFT())
        case 2:
            return VOICE_ON(channel=RIGHT())
        case _:
            return VOICE_ON(channel=CHANNEL(number=channel))
