"""Which frames of a video to decode and give, and the runs of packets that this takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sg_common.media.decoder.packets import PacketIndex
from sg_common.media.video import FrameBudget

WHOLE_PIXELS = 8_000_000_000  # about 30 s of processor time; a short clip with more is treated as a long one
SPARSE = 2.0  # runs fill gaps between key frames that are this many times wider than evenly spread frames


@dataclass(frozen=True)
class Run:
    """Packets `start` to `stop`, both included, that the decoder is fed in one go from a key frame."""

    start: int
    stop: int


def choose_frames(
    index: PacketIndex, *, sample_rate: int | None, budget: FrameBudget, pixels: int
) -> npt.NDArray[np.int64]:
    """Ascending numbers of the frames to give.

    Args:
        index: the stream's frames.
        sample_rate: every N-th frame; None for what `budget` allows.
        budget: how many frames may be decoded and given.
        pixels: pixels of a frame.
    """
    if sample_rate is not None:
        return np.arange(0, index.frames, sample_rate)
    if index.duration <= budget.whole_seconds and index.frames * pixels <= WHOLE_PIXELS:
        return _spread(np.arange(index.frames), budget.whole_frames)
    keys = index.rank[index.keys]
    keys = np.unique(keys[keys >= 0])
    if keys.size >= budget.long_frames:
        return _nearest(index.times, keys, budget.long_frames)
    return _with_runs(index, keys, budget)


def plan_runs(index: PacketIndex, frames: npt.NDArray[np.int64]) -> list[Run]:
    """The shortest runs of packets that decode the given frames, ascending and apart."""
    runs: list[Run] = []
    for packet in np.sort(index.order[frames]).tolist():
        start = _start(index, packet)
        if runs and start <= runs[-1].stop + 1:
            runs[-1] = Run(runs[-1].start, packet)
        else:
            runs.append(Run(start, packet))
    return runs


def _start(index: PacketIndex, packet: int) -> int:
    """Where decoding of a packet must start: its key frame, or the one before that where it is shown before its key
    frame (the leading frames of an open group of pictures also refer to the group before)."""
    place = int(np.searchsorted(index.keys, packet, side="right")) - 1
    key = int(index.keys[place])
    if place > 0 and 0 <= index.rank[packet] < index.rank[key]:
        key = int(index.keys[place - 1])
    return key


def _spread(candidates: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """At most `count` of the candidates, evenly spread, each in the middle of its share."""
    if candidates.size <= count:
        return candidates
    places = (np.arange(count) + 0.5) * candidates.size / count
    return candidates[places.astype(np.int64)]


def _nearest(times: npt.NDArray[np.float64], candidates: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """At most `count` of the candidates, those nearest to evenly spread moments of the clip."""
    moments = (np.arange(count) + 0.5) * times[-1] / count
    seconds = times[candidates]
    after = np.clip(np.searchsorted(seconds, moments), 1, candidates.size - 1)
    nearer = after - (moments - seconds[after - 1] < seconds[after] - moments)
    return np.unique(candidates[nearer])


def _with_runs(index: PacketIndex, keys: npt.NDArray[np.int64], budget: FrameBudget) -> npt.NDArray[np.int64]:
    """All key frames, and frames spread over short runs after those that the next key frame is far from."""
    room = min(budget.long_frames - keys.size, budget.extra_frames)
    ends = np.append(keys[1:], index.frames)
    starts_at = index.times[keys]
    widths = np.append(starts_at[1:], index.duration) - starts_at
    lengths = ends - keys - 1
    sparse = np.flatnonzero((widths > SPARSE * index.duration / budget.long_frames) & (lengths > 0))
    if room <= 0 or not sparse.size:
        return keys
    widest = sparse[np.argsort(-widths[sparse], kind="stable")][:room]
    shares = widths[widest] / widths[widest].sum()
    chosen = [keys]
    for place, share in zip(widest.tolist(), shares.tolist(), strict=True):
        given = max(1, int(share * room))
        length = min(int(lengths[place]), max(given, int(share * budget.extra_frames)))
        given = min(given, length)
        offsets = np.ceil((np.arange(given) + 1) * length / given).astype(np.int64)
        chosen.append(keys[place] + offsets)
    frames = np.unique(np.concatenate(chosen))
    return frames[: budget.long_frames] if frames.size > budget.long_frames else frames
