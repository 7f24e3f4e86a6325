"""How much a decoder child may read, use and run, and how many frames it gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DecodeLimits:
    """Limits of one decoding. A file over the first two is refused before work starts where its header tells.

    Attributes:
        duration_seconds: longest media duration.
        pixels: most pixels of a frame (width times height).
        memory_bytes: address space of the child process.
        cpu_seconds: processor time of the child process.
        stall_seconds: longest wait for the child's next message.
        threads: codec threads.
    """

    duration_seconds: float = 4 * 3600.0
    pixels: int = 7680 * 4320
    memory_bytes: int = 2 * 1024**3
    cpu_seconds: int = 600
    stall_seconds: float = 60.0
    threads: int = 1


@dataclass(frozen=True)
class FrameBudget:
    """How many frames may be decoded and judged when the caller names no `sample_rate`.

    Attributes:
        whole_seconds: clips up to this long are decoded whole.
        whole_frames: spread frames judged of such a clip.
        long_frames: most frames judged of a longer clip.
        extra_frames: most frames of a longer clip decoded besides its key frames.
        max_side: frames are scaled down to this many pixels on the longer side before they leave the decoder.
    """

    whole_seconds: float = 15.0
    whole_frames: int = 32
    long_frames: int = 64
    extra_frames: int = 300
    max_side: int = 1920
