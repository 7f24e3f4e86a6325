"""The commands of the video trainer: `python -m training.video COMMAND --data FOLDER [--data MORE]`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from sg_common.bundle.spec import FaceSpec, read_task

from training.common.cards import write_figures
from training.common.command import Commands
from training.common.manifest import Sample
from training.video import recipe as recipes
from training.video.autoencoder import load_autoencoder
from training.video.backbone import required_imagenet_weights
from training.video.calibrate import calibrate as write_calibration
from training.video.clips import Judgement, Reader, judge_all, read_clips
from training.video.evaluate import figures
from training.video.experts import experts_path, measured, train_members
from training.video.export import Members, fine_tuned
from training.video.export import export as export_bundle
from training.video.operating import judged
from training.video.prepare import Prepared, load_prepared
from training.video.prepare import prepare as prepare_crops
from training.video.recompress import CONDITIONS
from training.video.regions import RegionMembers, RegionStatistics, load_members
from training.video.synthesize import reconstructions_path
from training.video.synthesize import synthesize as synthesize_faces
from training.video.train import train as train_member


def prepared_crops(options: argparse.Namespace) -> Prepared:
    """What `prepare` made of these corpora."""
    return load_prepared(options.data, options.work / "prepared")


def prepare(options: argparse.Namespace) -> None:
    """Find the face in every picture with the shipped detector and cut crops as the service cuts them."""
    done = prepare_crops(options.data, options.work / "prepared")
    print(f"{len(done.samples)} pictures, face found in {done.detected.mean():.1%}")


def synthesize(options: argparse.Namespace) -> None:
    """For fine-tuning: pass genuine crops through a generator's decoder, whole-face fakes of the same picture."""
    torch.set_num_threads(1)
    prepared = prepared_crops(options)
    path = reconstructions_path(options.work, prepared)
    count = synthesize_faces(prepared, load_autoencoder(options.autoencoder), options.count, options.seed, path)
    print(f"{count} reconstructions")


def train(options: argparse.Namespace) -> None:
    """Train the recipe's experts on frozen statistics, or fine-tune its members; a run that was stopped goes on."""
    torch.set_num_threads(options.threads)
    weights, prepared, recipe = required_imagenet_weights(), prepared_crops(options), recipes.load(options.recipe)
    for member in recipes.load_members(options.recipe):
        print(train_member(member, prepared, options.work, weights))
    if recipe.experts is not None:
        statistics = measured(prepared, recipe.experts, RegionStatistics(weights), options.work / "statistics")
        path = experts_path(options.work, prepared, recipe.held_out, recipe.experts, weights)
        train_members(prepared, statistics, recipe.held_out, recipe.experts, path)
        print(path)


def export(options: argparse.Namespace) -> None:
    """Join the members in one graph and write the bundle around it, with a neutral calibration."""
    torch.set_num_threads(1)
    prepared, recipe = prepared_crops(options), recipes.load(options.recipe)
    weights = required_imagenet_weights()
    members: Members | RegionMembers
    if recipe.experts is not None:
        members, held_out = load_members(experts_path(options.work, prepared, recipe.held_out, recipe.experts, weights))
    else:
        members, held_out = fine_tuned(recipes.load_members(options.recipe), prepared, options.work, weights)
    print(export_bundle(prepared, members, held_out, recipe=recipe, work=options.work, out=options.bundle))


def judged_clips(options: argparse.Namespace) -> tuple[list[Sample], dict[str, list[Judgement]]]:
    """The clips that the bundle never saw, and their judgements under every condition."""
    samples = read_clips(options.data, options.seen_column)
    reader = Reader(options.bundle, options.work / "clips")
    return samples, judge_all(reader, samples, list(CONDITIONS), options.workers)


def judge(options: argparse.Namespace) -> None:
    """Judge clips through the service's own path, as found and encoded again; what was judged is kept."""
    samples, judgements = judged_clips(options)
    for condition, found in judgements.items():
        full, problems = sum(j.full for j in found), sum(j.problem is not None for j in found)
        print(f"{condition}: {full} of {len(samples)} clips judged, {problems} could not be read")


def calibrate(options: argparse.Namespace) -> None:
    """Set calibration and operating points on clips that the bundle never saw, under every condition."""
    write_calibration(options.bundle, judged(*judged_clips(options)))
    for policy, point in read_task(options.bundle, FaceSpec).calibration.operating_points.items():
        print(f"{policy}: {point}")


def evaluate(options: argparse.Namespace) -> None:
    """Print every figure of the model card, and write them into it with --write."""
    text = figures(judged(*judged_clips(options)), read_task(options.bundle, FaceSpec).calibration)
    print(text)
    if options.write:
        write_figures(options.bundle / "MODEL_CARD.md", text)


def commands() -> Commands:
    """The command line."""
    made = Commands("video", recipes.DEFAULT)
    made.add(prepare)
    synthesis = made.add(synthesize)
    synthesis.add_argument("--autoencoder", type=Path, required=True, help="folder of the autoencoder's weights")
    synthesis.add_argument("--count", type=int, default=700)
    synthesis.add_argument("--seed", type=int, default=11)
    made.add(train).add_argument("--threads", type=int, default=1)
    made.add(export, bundle=True)
    clips = [made.add(command, bundle=True) for command in (judge, calibrate, evaluate)]
    for parser in clips:
        parser.add_argument(
            "--seen-column", default="seen_by_3_2_0", help="the manifest's column for what the bundle saw"
        )
        parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes that judge at once")
    clips[-1].add_argument("--write", action="store_true", help="put the tables into the bundle's card")
    return made


if __name__ == "__main__":
    commands().main()
