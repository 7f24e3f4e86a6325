"""Names that change with what decides a file's contents, so that nothing stale is ever taken for the new."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.common.manifest import Sample


def key_of(*what: object) -> str:
    """A short name that changes with the representations of what decides a file's contents."""
    return blake2b(repr(what).encode(), digest_size=8).hexdigest()


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    status = path.stat()
    return _digest(path, status.st_size, status.st_mtime_ns)


@cache
def _digest(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def files_key(samples: Iterable[Sample]) -> str:
    """A name for files in their order: what each holds, and its path in the manifest, which seeds what is drawn."""
    return key_of([(s.fields.get("path", s.path.name), digest(s.path)) for s in samples])


def samples_key(samples: Iterable[Sample]) -> str:
    """A name for files and for what their manifest says that training listens to."""
    chosen = list(samples)
    facts = [(s.label, s.fold, s.family, s.source, s.group, sorted(s.also_held_out)) for s in chosen]
    return key_of(files_key(chosen), facts)


def kept(path: Path, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """The array in `path`, made and written in one move where it is not there yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npy")
        np.save(partial, make())
        partial.replace(path)
    array: NDArray[Any] = np.load(path)
    return array
