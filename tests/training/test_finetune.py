"""The library trains a checkpoint by itself: silently, and without traces in torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from cedtag.errors import OutputError
from cedtag.model.network import CedForAudioClassification
from cedtag.training.finetune import finetune
from cedtag.training.run import TrainingCallbacks
from cedtag.training.settings import Augment, Recipe, Start, TrainingCompute, TrainingFolder, TrainingSettings
from tests.hisses import NUM_CLIPS, write_hisses

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with recordings in `hisses/`."""
    write_hisses(tmp_path)
    return tmp_path


def settings(folder: Path, **compute: Any) -> TrainingSettings:
    return TrainingSettings(
        start=Start(from_config=str(folder / "small.json")),
        recipe=Recipe(epochs=2, batch_size=5, augment=Augment(crop_s=(0.3, 0.6))),
        compute=TrainingCompute(**compute),
    )


def test_a_training_gives_its_log_and_a_checkpoint_and_prints_nothing(folder: Path, capfd: Any) -> None:
    history = finetune(folder / "hisses", folder / "mine", settings(folder))
    assert [(row["phase"], row["epoch"]) for row in history] == [("model", 1), ("model", 2)]
    model = CedForAudioClassification.from_pretrained(folder / "mine")
    assert model.config.id2label == {0: "high", 1: "low"}
    assert capfd.readouterr() == ("", "")


def test_a_card_without_a_command_goes_on_with_the_settings(folder: Path) -> None:
    finetune(folder / "hisses", folder / "mine", settings(folder))
    assert "## Training\n\n- `data`: " in (folder / "mine/README.md").read_text(encoding="utf-8")
    finetune(folder / "hisses", TrainingFolder(folder / "other"), settings(folder), command="as before")
    assert "## Training\n\n    as before\n\n- `data`: " in (folder / "other/README.md").read_text(encoding="utf-8")


def test_torch_keeps_its_number_of_threads_and_its_random_numbers(folder: Path) -> None:
    before, random = torch.get_num_threads(), torch.get_rng_state()
    during = []
    callbacks = TrainingCallbacks(on_step=lambda: during.append(torch.get_num_threads()))
    finetune(folder / "hisses", folder / "mine", settings(folder, threads=before + 1), callbacks)
    assert set(during) == {before + 1}
    assert torch.get_num_threads() == before
    assert torch.equal(torch.get_rng_state(), random)


def test_callbacks_follow_the_clips_and_the_epochs(folder: Path) -> None:
    called: list[Any] = []
    callbacks = TrainingCallbacks(
        on_decoding=called.append,
        on_clip=lambda: called.append("clip"),
        on_begin=lambda *epoch: called.append(epoch),
        on_step=lambda: called.append("step"),
        on_epoch=lambda row: called.append(row["epoch"]),
    )
    finetune(folder / "hisses", folder / "mine", settings(folder), callbacks)
    epochs = [[("model", epoch, 2, 3), "step", "step", "step", epoch] for epoch in (1, 2)]
    assert called == [NUM_CLIPS, *["clip"] * NUM_CLIPS, *epochs[0], *epochs[1]]


def test_what_a_folder_holds_is_resumed_replaced_or_an_error(folder: Path) -> None:
    output = TrainingFolder(folder / "mine", save_every_s=0)

    with pytest.raises(KeyboardInterrupt):
        finetune(folder / "hisses", output, settings(folder), TrainingCallbacks(on_begin=after_first_epoch))
    with pytest.raises(OutputError, match="holds a training that was stopped; use `resume` or `overwrite`"):
        finetune(folder / "hisses", replace(output, resume=False), settings(folder))
    begun: list[int] = []
    callbacks = TrainingCallbacks(on_begin=lambda phase, epoch, *of: begun.append(epoch))
    finetune(folder / "hisses", output, settings(folder), callbacks)
    with pytest.raises(OutputError, match="is not empty; name another folder, or use `overwrite`"):
        finetune(folder / "hisses", output, settings(folder))
    finetune(folder / "hisses", replace(output, overwrite=True), settings(folder), callbacks)
    assert begun == [2, 1, 2]
    with pytest.raises(OutputError, match=r"data\.csv: cannot be made"):
        finetune(folder / "hisses", TrainingFolder(folder / "data.csv", overwrite=True), settings(folder))


def after_first_epoch(phase: str, epoch: int, epochs: int, steps: int) -> None:
    """Stops a training as Ctrl-C does."""
    if epoch == 2:
        raise KeyboardInterrupt
