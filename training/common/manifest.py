"""Read a corpus manifest and split it so that no generator and no recording source is on both sides."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

FOLDS = 5
SOURCE_COLUMNS = ("generator_or_source", "method_or_source")


class ManifestError(ValueError):
    """A manifest that cannot be used; the message names the file, the line and what is wrong."""


@dataclass(frozen=True)
class Sample:
    """One labelled file of a corpus.

    `fold` is the fold in which the sample is held out. `family` groups generators by what makes the
    waveform or picture; `source` is one generator or one collection of genuine recordings; `group` ties a
    copy to the genuine file it was made from, and is empty where that is unknown. `also_held_out` lists
    further folds whose training must not see the sample, as for a copy of a voice of another fold.
    """

    path: Path
    label: int
    fold: int
    family: str
    source: str
    group: str = ""
    also_held_out: frozenset[int] = frozenset()
    fields: Mapping[str, str] = field(default_factory=dict)


def read_manifest(path: Path) -> list[Sample]:
    """Read one tab-separated manifest; paths in it are relative to its folder.

    Columns `path` and `label` (real or fake) are needed, and `generator_or_source` (or
    `method_or_source`). `family` falls back to the source. Without a `fold` column each family of fakes
    and each source of genuine files gets a fold by a hash of its name, so that it stays on one side.
    An optional `also_held_out` column holds comma-separated folds.

    Raises ManifestError when a column is missing, a value is unusable or a path leaves the corpus.
    """
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
        columns = reader.fieldnames or []
        source_column = next((name for name in SOURCE_COLUMNS if name in columns), None)
        if "path" not in columns or "label" not in columns or source_column is None:
            raise ManifestError(f"{path}: needs the columns path, label and one of {SOURCE_COLUMNS}")
        return [
            _sample(path, line, {k: v or "" for k, v in row.items() if k}, source_column)
            for line, row in enumerate(reader, start=2)
        ]


def read_corpora(folders: Iterable[Path]) -> list[Sample]:
    """The samples of all folders one after the other.

    Raises:
        ManifestError: a folder has no usable manifest.
    """
    return [sample for folder in folders for sample in read_manifest(folder / "manifest.tsv")]


def _sample(manifest: Path, line: int, row: dict[str, str], source_column: str) -> Sample:
    where = f"{manifest}:{line}"
    if row["label"] not in ("real", "fake"):
        raise ManifestError(f"{where}: label must be real or fake, not {row['label']!r}")
    relative = Path(row["path"])
    if not row["path"] or relative.is_absolute() or ".." in relative.parts:
        raise ManifestError(f"{where}: path must lie inside the corpus: {row['path']!r}")
    source = row[source_column]
    family = row.get("family") or source
    try:
        fold = int(row["fold"]) if row.get("fold") else hash_fold(family if row["label"] == "fake" else source)
        also = frozenset(int(part) for part in row.get("also_held_out", "").split(",") if part)
    except ValueError as error:
        raise ManifestError(f"{where}: folds must be whole numbers") from error
    return Sample(
        path=manifest.parent / relative,
        label=int(row["label"] == "fake"),
        fold=fold,
        family=family,
        source=source,
        group=row.get("group", ""),
        also_held_out=also,
        fields=row,
    )


def hash_fold(name: str, folds: int = FOLDS) -> int:
    """A fold for a name, the same on every machine."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big") % folds


def split(samples: Sequence[Sample], fold: int | None) -> tuple[list[int], list[int]]:
    """Indices of the samples to train on and of those held out when `fold` is left out (None: train on all).

    A sample that may be in neither (held out by `also_held_out` only) is dropped from both. A negative fold
    marks samples for judging alone: they are never trained on.
    """
    train = [i for i, s in enumerate(samples) if s.fold >= 0 and s.fold != fold and fold not in s.also_held_out]
    held_out = [i for i, s in enumerate(samples) if s.fold == fold]
    return train, held_out


def sampling_weights(samples: Sequence[Sample], fake_share: float = 0.5, damping: float = 0.5) -> list[float]:
    """Weights (sum 1) that sample fakes with probability `fake_share` and each source by a power of its size.

    `damping` 0.5: by the root of its size; 1: every source alike.
    """
    sizes = Counter((s.label, s.source) for s in samples)
    weights = [sizes[s.label, s.source] ** -damping for s in samples]
    totals = [sum(w for w, s in zip(weights, samples, strict=True) if s.label == label) for label in (0, 1)]
    shares = (1.0 - fake_share, fake_share) if all(totals) else (1.0, 1.0)
    return [w * shares[s.label] / totals[s.label] for w, s in zip(weights, samples, strict=True)]


def write_sources(samples: Sequence[Sample], path: Path) -> None:
    """Write the sources of `samples` with their number of files, origin and license as a table."""
    rows = Counter(
        ("fake" if s.label else "real", s.family, s.source, s.fields.get("origin", ""), s.fields.get("license", ""))
        for s in samples
    )
    with path.open("w", encoding="utf-8", newline="") as handle:
        handle.write("label\tfamily\tsource\torigin\tlicense\tfiles\n")
        for row, files in sorted(rows.items()):
            handle.write("\t".join((*row, str(files))) + "\n")
