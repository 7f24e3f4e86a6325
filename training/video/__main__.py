"""The commands of the video trainer: `python -m training.video COMMAND --data FOLDER [--data MORE]`."""

from __future__ import annotations

import argparse
import os

import torch
from sg_common.bundle.spec import FaceSpec, read_task

from training.common.cards import write_figures
from training.common.command import Commands
from training.common.manifest import read_corpora
from training.common.scores import few_per_source
from training.video import recipe as recipes
from training.video.backbone import required_imagenet_weights
from training.video.calibrate import calibrate as write_calibration
from training.video.clips import Judged, Reader, judge_all
from training.video.evaluate import figures
from training.video.export import export as export_bundle
from training.video.export import unseen
from training.video.kernel import load_members
from training.video.movement import movements
from training.video.operating import judged
from training.video.prepare import Prepared, Preparer, golden_views
from training.video.prepare import prepare as prepare_clips
from training.video.recompress import AS_FOUND, CONDITIONS
from training.video.regions import RegionStatistics
from training.video.train import members_path, train_members


def prepared(options: argparse.Namespace) -> Prepared:
    """The statistics of all clips and their copies."""
    torch.set_num_threads(1)
    preparer = Preparer(RegionStatistics(required_imagenet_weights()), options.work / "statistics")
    return prepare_clips(options.data, recipes.load(options.recipe).copies, preparer)


def prepare(options: argparse.Namespace) -> None:
    """Read a few frames of every clip, as found and as real codecs leave it; what was read is kept."""
    done = prepared(options)
    print(f"{len(done.samples)} clips, {len(done.owner)} frames with a face")


def train(options: argparse.Namespace) -> None:
    """Train the recipe's members on the clips' statistics."""
    weights, clips, recipe = required_imagenet_weights(), prepared(options), recipes.load(options.recipe)
    path = members_path(options.work, clips, recipe.held_out, recipe.kernel, weights)
    train_members(clips, recipe.held_out, recipe.kernel, path)
    print(path)


def export(options: argparse.Namespace) -> None:
    """Join the members in one graph and write the bundle around it, with a neutral calibration."""
    weights, clips, recipe = required_imagenet_weights(), prepared(options), recipes.load(options.recipe)
    members, held_out = load_members(members_path(options.work, clips, recipe.held_out, recipe.kernel, weights))
    views = golden_views(clips.samples)
    print(export_bundle(members, held_out, views, recipe=recipe, work=options.work, out=options.bundle))


def judged_clips(options: argparse.Namespace) -> dict[str, Judged]:
    """The judgements of clips by members that never saw them: of all as found, of some of every source recompressed."""
    samples = read_corpora(options.data)
    some = [samples[i] for i in few_per_source(samples, options.recompressed)]
    kept = options.work / "judged"
    alone = {fold: Reader(path, kept) for fold, path in unseen(options.bundle, options.work / "members").items()}
    conditions = {name: samples if how is None else some for name, how in CONDITIONS.items()}
    return judge_all(alone, Reader(options.bundle, kept), conditions, options.workers)


def judge(options: argparse.Namespace) -> None:
    """Judge clips through the service's own path, as found and encoded again; what was judged is kept."""
    for condition, found in judged_clips(options).items():
        full, problems = sum(j.full for _, j in found), sum(j.problem is not None for _, j in found)
        print(f"{condition}: {full} of {len(found)} clips judged, {problems} could not be read")


def calibrate(options: argparse.Namespace) -> None:
    """Set calibration and operating points on clips judged by members that never saw them, under every condition."""
    write_calibration(options.bundle, judged(judged_clips(options)))
    for policy, point in read_task(options.bundle, FaceSpec).calibration.operating_points.items():
        print(f"{policy}: {point}")


def evaluate(options: argparse.Namespace) -> None:
    """Print every figure of the model card, and write them into it with --write."""
    found, calibration = judged(judged_clips(options)), read_task(options.bundle, FaceSpec).calibration
    text = figures(found, calibration, movements(found[AS_FOUND].offered, options.work / "movement"))
    print(text)
    if options.write:
        write_figures(options.bundle / "MODEL_CARD.md", text)


def commands() -> Commands:
    """The command line."""
    made = Commands("video", recipes.DEFAULT)
    made.add(prepare)
    made.add(train)
    made.add(export, bundle=True)
    clips = [made.add(command, bundle=True) for command in (judge, calibrate, evaluate)]
    for parser in clips:
        parser.add_argument(
            "--recompressed", type=int, default=1, help="most clips of a source that are judged recompressed as well"
        )
        parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that judge at once")
    clips[-1].add_argument("--write", action="store_true", help="put the tables into the bundle's card")
    return made


if __name__ == "__main__":
    commands().main()
