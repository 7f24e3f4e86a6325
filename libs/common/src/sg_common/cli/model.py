"""`silver-guardian model`: is this folder a bundle that may be served, and what does it say?"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from sg_common.bundle.calibration import Calibration
from sg_common.bundle.load import check_bundle, load_variant
from sg_common.bundle.spec import read_spec
from sg_common.bundle.variants import choose
from sg_common.cli.output import say
from sg_common.cli.status import ExitStatus
from sg_common.runtime import Runtime
from sg_common.verdict import OperatingPoint, Thresholds


def run_model(options: argparse.Namespace) -> int:
    """Check or describe one bundle; the process's exit status (raises BundleError for one that must not be served)."""
    lines = check_lines if options.model_verb == "check" else inspect_lines
    for line in lines(options.directory, Runtime(threads=1)):
        say(line)
    return ExitStatus.DONE


def check_lines(directory: Path, runtime: Runtime) -> Iterator[str]:
    """A line for each variant, then the verdict (raises BundleError)."""
    spec = read_spec(directory)
    for name, outcome in check_bundle(directory, spec, runtime).items():
        yield f"{name}: {outcome}"
    choice = choose(spec.variants, runtime.cpu.features)
    yield f"{spec.name} {spec.version} ({spec.task}) may be served; this CPU runs {choice.variant}: {choice.reason}"


def inspect_lines(directory: Path, runtime: Runtime) -> Iterator[str]:
    """What a person wants to know of a bundle, a fact a line (raises BundleError)."""
    spec = read_spec(directory)
    choice = choose(spec.variants, runtime.cpu.features)
    seconds = load_variant(directory, spec, choice, runtime).seconds()
    shape = " x ".join("any" if length is None else str(length) for length in spec.input.shape)
    yield f"{spec.name} {spec.version}"
    yield f"task       {spec.task}"
    yield f"license    {spec.license}"
    yield f"card       {directory / spec.card}"
    yield f"input      {spec.input.dtype} {spec.input.layout} {shape}"
    for name, variant in spec.variants.items():
        size = (directory / variant.file).stat().st_size / 2**20
        yield f"variant    {name}: {size:.1f} MiB, {variant.auc_loss:g} of AUC lost"
    yield f"runs here  {choice.variant}: {choice.reason}"
    yield f"cost       {seconds * 1e3:.2f} ms a row of {choice.variant}, one thread, {runtime.cpu.model_name}"
    if isinstance(spec.calibration, Calibration):
        yield f"thresholds {_thresholds(spec.calibration.thresholds)}"
        for policy, point in spec.calibration.operating_points.items():
            yield f"policy     {policy}: {_thresholds(point)}; {_worth(point)}"


def _thresholds(point: Thresholds) -> str:
    return f"likely_authentic under {point.likely_authentic:g}, likely_deepfake from {point.likely_deepfake:g}"


def _worth(point: OperatingPoint) -> str:
    low, high = point.false_alarm_interval
    return f"false alarms {point.false_alarm_rate:.1%} ({low:.1%} to {high:.1%}), detected {point.detection_rate:.1%}"
