from __future__ import annotations

from pathlib import Path

import pytest

from training.common import manifest

HEADER = "path\tlabel\tfamily\tfold\tgenerator_or_source\talso_held_out\n"


def write(folder: Path, rows: list[str], header: str = HEADER) -> Path:
    path = folder / "manifest.tsv"
    path.write_text(header + "".join(row + "\n" for row in rows), encoding="utf-8")
    return path


def test_split_keeps_families_and_sources_on_one_side(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        ["a.flac\treal\tx\t0\troom\t", "b.flac\tfake\tgan\t1\tg1\t", "c.flac\tfake\tcopy\t1\tg2\t0,3"],
    )
    samples = manifest.read_manifest(path)
    assert samples[0].path == tmp_path / "a.flac"
    assert manifest.split(samples, 0) == ([1], [0])
    assert manifest.split(samples, 1) == ([0], [1, 2])
    assert manifest.split(samples, None) == ([0, 1, 2], [])


def test_a_negative_fold_is_never_trained_on(tmp_path: Path) -> None:
    samples = manifest.read_manifest(write(tmp_path, ["a\treal\tx\t-1\tr\t", "b\tfake\ty\t0\tg\t"]))
    assert manifest.split(samples, None) == ([1], [])
    assert manifest.split(samples, -1) == ([1], [0])


def test_a_manifest_without_folds_gets_stable_ones(tmp_path: Path) -> None:
    path = write(tmp_path, ["a.wav\tfake\tg1", "b.wav\tfake\tg1"], "path\tlabel\tgenerator_or_source\n")
    first, second = manifest.read_manifest(path)
    assert first.family == "g1"
    assert first.fold == second.fold == manifest.hash_fold("g1")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.flac\tmaybe\tx\t0\ts\t", "real or fake"),
        ("../a.flac\treal\tx\t0\ts\t", "inside the corpus"),
        ("a.flac\treal\tx\tone\ts\t", "whole numbers"),
    ],
)
def test_unusable_rows_name_the_line(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(manifest.ManifestError, match=f"tsv:2: .*{message}"):
        manifest.read_manifest(write(tmp_path, [row]))


def test_missing_columns(tmp_path: Path) -> None:
    with pytest.raises(manifest.ManifestError, match="needs the columns"):
        manifest.read_manifest(write(tmp_path, [], "path\tlabel\n"))


def test_sampling_weights_balance_labels_and_damp_large_sources(tmp_path: Path) -> None:
    rows = [f"r{i}\treal\tx\t0\tbig\t" for i in range(4)] + ["s\treal\tx\t0\tsmall\t", "f\tfake\ty\t0\tg\t"]
    weights = manifest.sampling_weights(manifest.read_manifest(write(tmp_path, rows)))
    assert sum(weights) == pytest.approx(1)
    assert weights[-1] == pytest.approx(0.5)
    assert weights[0] * 2 == pytest.approx(weights[4])


def test_sources_table(tmp_path: Path) -> None:
    samples = manifest.read_manifest(write(tmp_path, ["a\treal\tx\t0\troom\t", "b\treal\tx\t0\troom\t"]))
    manifest.write_sources(samples, tmp_path / "sources.tsv")
    assert (tmp_path / "sources.tsv").read_text().splitlines()[1] == "real\tx\troom\t\t\t2"
