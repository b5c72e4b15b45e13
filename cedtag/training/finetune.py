"""Training a checkpoint on recordings of one's own."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.model.network import CedForAudioClassification
from cedtag.system.machine import usable_cpus
from cedtag.training.card import clips_table, model_card, save_card, save_checkpoint
from cedtag.training.clip_file import clip_file
from cedtag.training.clips import CropFeed, load_clips
from cedtag.training.loop import device_of
from cedtag.training.own_torch import own_torch
from cedtag.training.run import TrainingCallbacks, TrainingPlan, train
from cedtag.training.settings import TrainingFolder, TrainingSettings, identity
from cedtag.training.split import split_examples
from cedtag.training.start import crop_frames, origin_files, set_input_norm, starting_model
from cedtag.training.state import STATE_NAME, check_folder, load_state, prepare_folder
from cedtag.training.teacher_checkpoint import save_teachers

if TYPE_CHECKING:
    import os

    from torch import nn

    from cedtag.training.clip_file import ClipFile
    from cedtag.training.split import Split
    from cedtag.training.start import StartingModel


def finetune(
    data: str | os.PathLike[str],
    output: str | os.PathLike[str] | TrainingFolder,
    settings: TrainingSettings | None = None,
    callbacks: TrainingCallbacks | None = None,
    *,
    command: str = "",
) -> list[dict[str, Any]]:
    """Train a model on labelled recordings, and write it to a folder as a checkpoint with a card; the log of epochs.

    `data` is a folder with one sub-folder per class, or a manifest: see `read_data`. Stopped in any way, the same call
    goes on where it was. `command` is what the card shows as the way to repeat the training. torch keeps its number of
    threads and its random numbers. Recordings that cannot be decoded and clips that are cut are left out, which
    `callbacks.on_recording` is told. Raises InputError, ModelError, OutputError, and AudioError where no clip of a
    class is left, or without `settings.selection.keep_going` where one is left out.
    """
    settings, callbacks = settings or TrainingSettings(), callbacks or TrainingCallbacks()
    output = output if isinstance(output, TrainingFolder) else TrainingFolder(Path(output))
    split = split_examples(Path(data), settings)
    check_folder(output, [data, *split.files, *origin_files(settings)])
    callbacks.on_data(split)
    start = starting_model(settings, split.classes)
    frames = crop_frames(settings.recipe.augment.crop_s, start.model.config)
    prepare_folder(output)

    def keep(better: nn.Module) -> None:
        assert isinstance(better, CedForAudioClassification)
        save_checkpoint(output.folder, better, start.extractor, half=output.half)

    with own_torch(settings.compute.threads, device_of(start.model)), clip_file(output.folder, np.float16) as file:
        plan, split = _plan(output, settings, split, start, callbacks, crops=frames, file=file)
        history = train(start.model, plan, keep, callbacks)
    state = load_state(output.folder, plan.identity)
    save_teachers(output.folder, state.teachers if state else [], start.model.config, start.extractor)
    card = model_card(
        output.folder.name, start.model, clips_table(split.clips_per_class()), history, plan.identity, command
    )
    save_card(output.folder, card)
    (output.folder / STATE_NAME).unlink()  # without it the training is over
    return history


def _plan(
    output: TrainingFolder,
    settings: TrainingSettings,
    split: Split,
    start: StartingModel,
    callbacks: TrainingCallbacks,
    *,
    crops: tuple[int, int],
    file: ClipFile,
) -> tuple[TrainingPlan, Split]:
    """The plan with its clips, which are decoded here, and the split of those that can be used."""
    callbacks.on_decoding(len(split.train) + len(split.valid))
    load = partial(
        load_clips,
        classes=split.classes,
        extractor=start.extractor,
        file=file,
        jobs=usable_cpus(),
        keep_going=settings.selection.keep_going,
        on_clip=callbacks.on_clip,
        on_recording=callbacks.on_recording,
    )
    (clips, trained), (valid, validated) = load(split.train), load(split.valid)
    split = split.of_used(trained, validated)
    if settings.start.from_config:
        set_input_norm(start.model.encoder.init_bn, clips.features)
    plan = TrainingPlan(
        folder=output.folder,
        recipe=settings.recipe,
        fit=start.fit,
        train=CropFeed(clips, settings.recipe.augment, crops),
        identity=identity(settings, start.fit, crops, {**split.to_dict(), "from": start.origin}),
        valid=valid if split.valid else None,
        patience=settings.validation.patience,
        teachers=settings.teachers,
        save_every_s=output.save_every_s,
    )
    return plan, split
