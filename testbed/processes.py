"""Processes below another one, read from /proc."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

GONE = (FileNotFoundError, ProcessLookupError)


def children(process: int | None = None) -> set[int]:
    """The processes that a process (this one) has started, ended ones that nobody waited for included."""
    found: set[int] = set()
    with contextlib.suppress(*GONE):
        for task in Path(f"/proc/{process or os.getpid()}/task").iterdir():
            with contextlib.suppress(*GONE):
                found |= {int(child) for child in (task / "children").read_text().split()}
    return found


def family(process: int | None = None) -> set[int]:
    """All processes below a process (this one)."""
    found = children(process)
    return found.union(*(family(child) for child in found))


def decoders(process: int | None = None) -> set[int]:
    """The processes that decode a file for a process (this one), whoever started them."""
    fresh = {child for child in children(process) if _module(child) in ("sg_decoder", "")}
    return fresh.union(*(children(zygote) for zygote in zygotes(process)))


def zygotes(process: int | None = None) -> set[int]:
    """The processes that fork decoders for a process (this one)."""
    return {child for child in children(process) if _module(child) == "sg_decoder.zygote"}


def is_running(process: int) -> bool:
    """Whether a process is neither gone nor ended."""
    with contextlib.suppress(*GONE):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def proportional_bytes(process: int, kind: str = "Pss") -> int:
    """Memory of a process, its share of pages that others use too; with `Pss_Anon` without pages of files, whose share
    grows when strangers that map the same files end."""
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    return next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith(f"{kind}:"))


def peak_bytes(process: int) -> int:
    """Largest resident memory of a process since it began its program; 0 for one that has ended."""
    with contextlib.suppress(*GONE):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _module(process: int) -> str:
    """The Python module that a process runs; empty for one that has ended."""
    with contextlib.suppress(*GONE):
        return Path(f"/proc/{process}/cmdline").read_bytes().rstrip(b"\0").rpartition(b"\0")[2].decode()
    return "gone"


def cpu_seconds(processes: Iterable[int]) -> float:
    """User and system time of processes and of what they have waited for, in steps of a clock tick each."""
    ticks = 0
    for process in processes:
        with contextlib.suppress(*GONE):
            ticks += sum(map(int, Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_bytes(process: int, beside: int | None = None) -> int:
    """Resident memory of a process; without the pages of files that the process `beside` maps too."""
    shared = set(_file_pages(beside)) if beside else set()
    files = _file_pages(process)
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    total = next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Rss:"))
    return total - sum(size for name, size in files.items() if name in shared)


def _file_pages(process: int) -> dict[str, int]:
    """Bytes of each mapped file's pages that a process has not written to."""
    pages: dict[str, int] = {}
    name, resident = "", 0
    for line in Path(f"/proc/{process}/smaps").read_text().splitlines():
        first, *rest = line.split()
        if not first.endswith(":"):
            name = rest[4] if len(rest) > 4 and rest[4].startswith("/") else ""
        elif first == "Rss:":
            resident = int(rest[0]) * 1024
        elif first == "Anonymous:" and name:
            pages[name] = pages.get(name, 0) + resident - int(rest[0]) * 1024
    return pages
