"""How much a decoder child may read, use and run."""

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
