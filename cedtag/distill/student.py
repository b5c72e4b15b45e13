"""Training a student on the views of a store, with the probabilities that the teachers gave them."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.distill.store import DistillStore
from cedtag.distill.stored_views import labels_of, load_views, read_stored
from cedtag.distill.student_settings import StudentSettings, identity
from cedtag.distill.view_feed import Seen, ViewFeed
from cedtag.errors import InputError
from cedtag.model.network import CedForAudioClassification
from cedtag.records import SAMPLE_RATE_HZ
from cedtag.training.card import model_card, save_card, save_checkpoint
from cedtag.training.clip_file import clip_file
from cedtag.training.loop import device_of
from cedtag.training.own_torch import own_torch
from cedtag.training.run import TrainingCallbacks, TrainingPlan, train
from cedtag.training.settings import TrainingFolder
from cedtag.training.start import origin_files, set_input_norm, starting_model
from cedtag.training.state import STATE_NAME, check_folder, prepare_folder

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from torch import nn

    from cedtag.distill.stored_views import StoredData
    from cedtag.training.start import StartingModel

_DATA = """\
Distilled from {teachers} (arXiv 2308.11957): their mean probabilities for {epochs} views of each of {clips} clips, of
every view the best {top_k} classes, learned with {way}. The entropy of these probabilities, below which no loss can
fall, is {entropy:.4f}.

| teacher | hash |
|---|---|
{rows}"""


def train_student(
    store: str | os.PathLike[str],
    output: str | os.PathLike[str] | TrainingFolder,
    settings: StudentSettings | None = None,
    callbacks: TrainingCallbacks | None = None,
    *,
    command: str = "",
) -> list[dict[str, Any]]:
    """Train a student on a store of views, and write it to a folder as a checkpoint with a card; the log of epochs.

    Stopped in any way, the same call goes on where it was. `command` is what the card shows as the way to repeat the
    training. Raises InputError for a store that is damaged, incomplete or altered, and for recordings that are not
    there or have changed, AudioError for those that cannot be decoded, ModelError and OutputError.
    """
    settings, callbacks = settings or StudentSettings(), callbacks or TrainingCallbacks()
    output = output if isinstance(output, TrainingFolder) else TrainingFolder(Path(output))
    stored = read_stored(DistillStore(store), settings.views.data)
    check_folder(output, [*stored.files(), *origin_files(settings.training())])
    start = starting_model(settings.training(), stored.facts.classes)
    _check_start(stored, start)
    prepare_folder(output)

    def keep(better: nn.Module) -> None:
        assert isinstance(better, CedForAudioClassification)
        save_checkpoint(output.folder, better, start.extractor, half=output.half)

    with own_torch(settings.compute.threads, device_of(start.model)), ExitStack() as files:
        feed = _empty_feed(stored, settings, start, output.folder, files)
        callbacks.on_decoding(stored.num_clips)
        load_views(stored, start.extractor, feed, callbacks.on_clip)
        if settings.views.labels_weight:
            feed.labels = labels_of(stored.data, feed.clips, stored.facts.classes)
        if settings.start.from_config:
            set_input_norm(start.model.encoder.init_bn, feed.first_views())
        data = {"store": stored.facts.digest, "clips": len(feed), "labels": _digest(feed.labels), "from": start.origin}
        plan = TrainingPlan(
            output.folder,
            settings.recipe,
            start.fit,
            feed,
            identity(settings, start.fit, data),
            save_every_s=output.save_every_s,
        )
        history = train(start.model, plan, keep, callbacks)
        card = model_card(output.folder.name, start.model, _card_data(stored, feed), history, plan.identity, command)
    save_card(output.folder, card)
    (output.folder / STATE_NAME).unlink()  # without it the training is over
    return history


def _check_start(stored: StoredData, start: StartingModel) -> None:
    """InputError where the student would see other spectrograms than the teachers, or takes no clips so long."""
    facts, config = stored.facts, start.model.config
    if replace(facts.front_end, patch_frames=config.patch_size) != start.extractor.front_end:
        raise InputError(
            f"{start.origin}: has another front end than the teachers of {stored.path}; take another model"
        )
    longest = facts.front_end.samples_of(config.target_length)
    if facts.chunk > longest:
        raise InputError(
            f"{stored.path}: holds clips of up to {facts.chunk / SAMPLE_RATE_HZ:g} s, and {start.origin} takes "
            f"{longest / SAMPLE_RATE_HZ:g}; store shorter ones, or take another model"
        )


def _empty_feed(
    stored: StoredData, settings: StudentSettings, start: StartingModel, folder: Path, files: ExitStack
) -> ViewFeed:
    """A feed without clips, whose files are open as long as `files`."""
    facts, views = stored.facts, settings.views
    seen = Seen(
        num_classes=len(facts.classes),
        num_epochs=min(facts.epochs, settings.recipe.epochs),  # of more nothing would be learned
        seed=facts.seed,
        hop_size=facts.front_end.hop_size,
        patch_frames=start.model.config.patch_size,
        consistent=views.consistent,
        labels_weight=views.labels_weight,
    )
    features, targets = (files.enter_context(clip_file(folder, kind)) for kind in (np.float16, np.int16))
    return ViewFeed(seen, features, targets)


def _digest(labels: Sequence[Sequence[int]]) -> str:
    """A hash of the labels of clips, "" of none."""
    return hashlib.sha256(repr([list(own) for own in labels]).encode()).hexdigest()[:16] if labels else ""


def _card_data(stored: StoredData, feed: ViewFeed) -> str:
    """What was learned from, in Markdown."""
    facts, seen = stored.facts, feed.seen
    ways = ["the same views" if seen.consistent else "other views than the teachers'"]
    if seen.labels_weight:
        ways.append(f"labels with a weight of {seen.labels_weight:g}")
    return _DATA.format(
        teachers=f"{len(facts.teachers)} teacher" + ("s" if len(facts.teachers) > 1 else ""),
        clips=len(feed),
        epochs=seen.num_epochs,
        top_k=facts.top_k,
        way=" and ".join(ways),
        entropy=feed.entropy(),
        rows="\n".join(f"| {name} | `{digest}` |" for name, digest in facts.teachers),
    )
