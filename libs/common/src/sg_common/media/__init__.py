"""Untrusted media in, plain samples and frames out.

Every byte of a container or codec is parsed in a child process under limits (`sg_decoder`), so that a crash or a bomb
costs one request. `open_audio` and `open_video` are what analyzers call.
"""

from sg_decoder.limits import DecodeLimits, FrameBudget

from sg_common.media.audio import AudioInfo, AudioReader, open_audio
from sg_common.media.provenance import read_provenance
from sg_common.media.video import Frame, VideoInfo, VideoReader, open_video
from sg_common.media.zygote import Decoders

__all__ = [
    "AudioInfo",
    "AudioReader",
    "DecodeLimits",
    "Decoders",
    "Frame",
    "FrameBudget",
    "VideoInfo",
    "VideoReader",
    "open_audio",
    "open_video",
    "read_provenance",
]
