"""What `cedtag finetune` does, once it is known what was asked for."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
import torch
from tqdm import tqdm

from cedtag.checkpoints import cache as hub
from cedtag.checkpoints.locate import resolve
from cedtag.cli.finetune import SCRATCH_LR, TUNING_LR
from cedtag.errors import InputError, OutputError
from cedtag.inputs.manifest import classes_of, examples_digest, read_examples, require_audio, select_folds, split_off
from cedtag.model.features import CedFeatureExtractor
from cedtag.model.network import CedForAudioClassification
from cedtag.model.preprocessor import front_end_of
from cedtag.records import SAMPLE_RATE_HZ
from cedtag.scoring.torch_device import find_device, find_precision
from cedtag.system.machine import usable_cpus
from cedtag.training import start
from cedtag.training.augment import Augment
from cedtag.training.card import model_card, save_card, save_checkpoint
from cedtag.training.clips import load_clips
from cedtag.training.loop import Recipe, device_of
from cedtag.training.run import LOG_NAME, STATE_NAME, Plan, Watch, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from cedtag.cli.finetune import Options
    from cedtag.inputs.manifest import Example

TEACHER_LR = 2e-3


def finetune(options: Options) -> None:
    """Train what was asked for into the folder that was named."""
    kept, held_out = _examples(options)
    require_audio(options.data, kept)
    classes = classes_of([*kept, *held_out])
    _check_classes(options.data, classes, kept, held_out, options.loss)
    model, extractor, origin = _model(options, classes)
    _prepare_folder(options)
    plan = _plan(options, model, extractor, classes, kept, held_out, origin)
    try:
        history = _train(options, model, extractor, plan)
    except KeyboardInterrupt:
        click.echo(f"cedtag: {plan.folder}: stopped; run the same command again to go on", err=True)
        raise
    _conclude(options, model, plan, history, {name: sum(name in one.labels for one in kept) for name in classes})


def _examples(options: Options) -> tuple[list[Example], list[Example]]:
    """The clips to train on and those to validate on."""
    found = read_examples(options.data, options.audio)
    held_out = select_folds(found, options.valid_folds) if options.valid_folds else []
    if both := set(options.folds) & set(options.valid_folds):
        raise InputError(f"fold {min(both)}: cannot be trained on and validated on")
    kept = [example for example in select_folds(found, options.folds) if example.fold not in options.valid_folds]
    if options.valid_split:
        if held_out:
            raise InputError("--valid-fold and --valid-split exclude each other; use one of them")
        return split_off(kept, options.valid_split, options.seed)
    return kept, held_out


def _check_classes(
    data: Path, classes: Sequence[str], kept: Sequence[Example], held_out: Sequence[Example], loss: str
) -> None:
    trained = set(classes_of(kept))
    if not classes:
        raise InputError(f"{data}: no clip has a label")
    if len(classes) < 2 and all(example.labels for example in kept):
        raise InputError(f"{data}: holds only one class ({classes[0]}); there is nothing to tell it from")
    if missing := [name for name in classes if name not in trained]:
        raise InputError(f"{data}: no clip to train on is labelled {missing[0]!r}; add some or leave the class out")
    if loss == "ce" and any(len(example.labels) != 1 for example in [*kept, *held_out]):
        raise InputError(
            f"{data}: some clips have several labels or none, which --loss ce cannot learn; use --loss bce"
        )


def _prepare_folder(options: Options) -> None:

    folder: Path = options.output
    state = folder / STATE_NAME
    if options.overwrite:
        for name in (STATE_NAME, LOG_NAME):
            (folder / name).unlink(missing_ok=True)
    elif not state.exists() and folder.is_dir() and any(folder.iterdir()):
        raise OutputError(f"{folder}: is not empty; name another folder, or --overwrite")
    elif state.exists() and not options.resume:
        raise OutputError(f"{folder}: holds a training that was stopped; go on with --resume, or --overwrite")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror})") from error


def _model(options: Options, classes: Sequence[str]) -> tuple[CedForAudioClassification, CedFeatureExtractor, str]:
    """The model to train, its front end, and what it starts from."""

    device = find_device(options.device)
    if size := options.from_config:
        if options.freeze_encoder:
            raise InputError("--freeze-encoder needs a trained encoder (-m), not random weights (--from-config)")
        config = start.config_named(size)
        return (
            start.new_model(config, classes, options.seed).to(device),
            CedFeatureExtractor.from_front_end(config.front_end),
            size,
        )
    hub.configure(offline=options.offline, cache_dir=Path(options.cache_dir) if options.cache_dir else None)
    checkpoint = resolve(options.model)
    model = start.with_head(CedForAudioClassification.from_checkpoint(checkpoint), classes, options.seed)
    if options.freeze_encoder:
        start.freeze_encoder(model)
    origin = f"{checkpoint.name}@{checkpoint.commit}" if checkpoint.commit else checkpoint.name
    extractor = CedFeatureExtractor.from_front_end(front_end_of(checkpoint, model.config))
    return model.to(device), extractor, origin


def _plan(
    options: Options,
    model: CedForAudioClassification,
    extractor: CedFeatureExtractor,
    classes: Sequence[str],
    kept: Sequence[Example],
    held_out: Sequence[Example],
    origin: str,
) -> Plan:
    """All that the training needs; the clips are decoded here."""

    torch.set_num_threads(options.threads or usable_cpus())
    recipe = _recipe(options, model)
    with _bar(options, len(kept) + len(held_out), "decoding") as bar:
        load = partial(
            load_clips,
            classes=classes,
            extractor=extractor,
            shortest=model.config.patch_size * model.config.hop_size,
            jobs=usable_cpus(),
            on_clip=bar.update,
        )
        clips, valid = load(kept), load(held_out) if held_out else None
    if options.from_config:
        start.set_input_norm(model.encoder.init_bn, clips.features)
    data = {
        "data": examples_digest([*kept, *held_out]),
        "clips": len(kept),
        "validation_clips": len(held_out),
        "from": origin,
    }
    chosen = {name: getattr(options, name) for name in ("freeze_encoder", "num_teachers", "teacher_epochs", "patience")}
    values = asdict(recipe)
    return Plan(
        folder=options.output,
        recipe=recipe,
        train=clips,
        settings={**data, **chosen, **values.pop("augment"), **values},
        valid=valid,
        patience=options.patience,
        num_teachers=options.num_teachers,
        teacher_recipe=replace(recipe, epochs=options.teacher_epochs, lr=TEACHER_LR),
        save_every_s=options.save_every_s,
    )


def _recipe(options: Options, model: CedForAudioClassification) -> Recipe:

    config = model.config
    frames = [round(seconds * SAMPLE_RATE_HZ / config.hop_size) for seconds in options.crop_s]
    if not config.patch_size <= frames[0] <= frames[1] <= config.target_length:
        shortest = config.front_end.patch_samples / SAMPLE_RATE_HZ
        longest = config.target_length * config.hop_size / SAMPLE_RATE_HZ
        raise InputError(
            f"--crop {options.crop_s[0]:g} {options.crop_s[1]:g}: give MIN and MAX, from {shortest:g} to {longest:g} s"
        )
    asked = asdict(options)
    own = {entry.name: asked[entry.name] for entry in fields(Recipe) if entry.name in asked}
    varied = {entry.name: asked[entry.name] for entry in fields(Augment) if entry.name in asked}
    own["lr"] = options.lr or (SCRATCH_LR if options.from_config else TUNING_LR)
    own["precision"] = find_precision(options.precision, device_of(model))
    augment = Augment(min_frames=frames[0], max_frames=frames[1], **varied)
    return Recipe(**own, window_frames=config.target_length, augment=augment)


def _train(
    options: Options, model: CedForAudioClassification, extractor: CedFeatureExtractor, plan: Plan
) -> list[dict[str, Any]]:
    """Train, showing how it goes; return the log."""

    steps = max(1, len(plan.train.features) // min(plan.recipe.batch_size, len(plan.train.features)))
    with _bar(options, 0, "training") as bar:

        def begin(phase: str, epoch: int, epochs: int) -> None:
            bar.reset(steps)
            bar.set_description(f"{phase}, epoch {epoch} of {epochs}")

        def end(row: dict[str, Any]) -> None:
            if not options.quiet:
                numbers = (f"{name} {value:.4f}" for name, value in row.items() if name.startswith(("loss", "valid")))
                bar.write(f"cedtag: {row['phase']}, epoch {row['epoch']}: {', '.join(numbers)}", file=sys.stderr)

        def keep(better: nn.Module) -> None:
            assert isinstance(better, CedForAudioClassification)
            save_checkpoint(plan.folder, better, extractor, half=options.half)

        return train(model, plan, Watch(begin, bar.update, end, keep))


def _conclude(
    options: Options,
    model: CedForAudioClassification,
    plan: Plan,
    history: list[dict[str, Any]],
    data: dict[str, int],
) -> None:
    """Write the card; with the state gone the training is over."""
    folder: Path = options.output
    command_line = shlex.join(["cedtag", *sys.argv[1:]])
    save_card(folder, model_card(folder.name, model, data, history, plan.settings, command_line))
    (folder / STATE_NAME).unlink()
    if not options.quiet:
        click.echo(f"cedtag: {folder}: done; try it: cedtag RECORDING -m {folder}", err=True)


def _bar(options: Options, total: int, text: str) -> tqdm[NoReturn]:
    wanted = options.progress if options.progress is not None else sys.stderr.isatty()
    return tqdm(total=total, desc=text, disable=options.quiet or not wanted, file=sys.stderr, leave=False)
