"""The state of a training in its folder, from which a training that was killed goes on."""

from __future__ import annotations

import errno
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch

from cedtag.checkpoints.names import CONFIG_NAME, PREPROCESSOR_NAME, WEIGHTS_NAME
from cedtag.errors import InputError, ModelError, OutputError
from cedtag.run.settings import differences
from cedtag.system.atomic import writing_whole
from cedtag.system.destinations import OutputPath, check_outputs
from cedtag.training.card import CARD_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from cedtag.training.settings import TrainingFolder

STATE_NAME = "training_state.pt"
LOG_NAME = "metrics.jsonl"
FILE_NAMES = (STATE_NAME, LOG_NAME, CONFIG_NAME, PREPROCESSOR_NAME, WEIGHTS_NAME, CARD_NAME)
# What torch.load raises on damaged files.
_UNREADABLE = (EOFError, KeyError, OSError, RuntimeError, ValueError, UnpicklingError)


@dataclass(slots=True)
class TrainingState:
    """The weights of the teachers that are done, the state of the trainer at work, and the log: a row per epoch."""

    teachers: list[dict[str, Any]] = field(default_factory=list)
    trainer: dict[str, Any] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)


def check_folder(output: TrainingFolder, inputs: Iterable[str | os.PathLike[str]] = ()) -> None:
    """OutputError where the folder holds something that is neither resumed nor to be overwritten, or takes no files.

    InputError where one of the training's files is one of its inputs. Nothing is changed.
    """
    folder, state = output.folder, output.folder / STATE_NAME
    with _making(folder):
        if not next((path for path in (folder, *folder.parents) if path.exists()), folder.parent).is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not output.overwrite and not state.exists() and folder.is_dir() and any(folder.iterdir()):
            raise OutputError(f"{folder}: is not empty; name another folder, or use `overwrite`")
        if not output.overwrite and state.exists() and not output.resume:
            raise OutputError(f"{folder}: holds a training that was stopped; use `resume` or `overwrite`")
    # What may be replaced is decided above, for the folder as a whole.
    files = [OutputPath(folder / name, "folder", replaceable=True, is_own=True) for name in FILE_NAMES]
    check_outputs(files, inputs)


def prepare_folder(output: TrainingFolder) -> None:
    """Make the folder, and with `overwrite` remove an earlier training; OutputError where that cannot be done."""
    with _making(output.folder):
        if output.overwrite:
            for name in (STATE_NAME, LOG_NAME):
                (output.folder / name).unlink(missing_ok=True)
        output.folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def _making(folder: Path) -> Iterator[None]:
    """Turn the system's error about the folder into a sentence."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror})") from error


def load_state(folder: Path, identity: Mapping[str, Any]) -> TrainingState | None:
    """The state of a training that was killed, None if there is none; one of another identity is an InputError."""
    path = folder / STATE_NAME
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        before = json.loads(state["settings"])
    except _UNREADABLE as error:
        raise ModelError(f"{path}: damaged; remove it to train from the start") from error
    if changes := differences(before, identity):
        raise InputError(
            f"{folder}: holds a training with other settings ({', '.join(changes)}); go on with those, or use "
            "`overwrite`"
        )
    return TrainingState(state["teachers"], state["trainer"], json.loads(state["history"]))


def save_state(folder: Path, identity: Mapping[str, Any], state: TrainingState) -> None:
    """Write the state and the log, each whole or not at all."""
    content = {
        "settings": json.dumps(identity),
        "history": json.dumps(state.history),
        "teachers": state.teachers,
        "trainer": state.trainer,
    }
    log = "".join(json.dumps(row) + "\n" for row in state.history)
    try:
        with writing_whole(folder / STATE_NAME) as file:
            torch.save(content, file)
        with writing_whole(folder / LOG_NAME) as file:
            file.write(log.encode())
    # torch's writer turns a full disk into a RuntimeError.
    except (OSError, RuntimeError) as error:
        raise OutputError(
            f"{folder}: cannot save the training ({error}); free some space and run the same again"
        ) from error
