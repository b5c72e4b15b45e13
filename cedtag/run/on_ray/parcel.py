"""What is sent to an actor: a recipe, and the files of its checkpoints, for machines that do not share a disk."""

from __future__ import annotations

import pickle
import socket
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from cedtag.errors import CedtagError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.run.engines import Recipe, Work


@dataclass(frozen=True, slots=True)
class Parcel:
    """A pickled recipe, and for each of its checkpoints the bytes of the files by their names."""

    recipe: bytes
    files: tuple[Mapping[str, NDArray[np.uint8]], ...]


def files_of(checkpoint: Checkpoint) -> dict[str, NDArray[np.uint8]]:
    """The bytes of the files of a checkpoint by their names."""
    files = {*checkpoint.weight_files, checkpoint.weights, checkpoint.config, checkpoint.preprocessor} - {None}
    return {path.name: np.fromfile(path, np.uint8) for path in files if path is not None}


def work_of(parcel: Parcel, cpus: int) -> Work:
    """The work that the recipe in a parcel describes, ready for `cpus` processors; CedtagError where it cannot be."""
    try:
        recipe = cast("Recipe", pickle.loads(parcel.recipe))
    except (ImportError, AttributeError) as error:
        raise CedtagError(
            f"`engine` ray: the machine {socket.gethostname()} cannot load what it was sent ({error}); install the "
            "module there, too, or define the function where it is used"
        ) from error
    with tempfile.TemporaryDirectory(prefix="cedtag-") as folder:
        moved = []
        for number, (checkpoint, files) in enumerate(zip(recipe.checkpoints, parcel.files, strict=True)):
            place = Path(folder, str(number))
            place.mkdir()
            for name, content in files.items():
                (place / name).write_bytes(content.tobytes())
            moved.append(_moved(checkpoint, place))
        return recipe.prepared(moved, cpus)


def _moved(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    """The checkpoint with its files in another folder."""

    def there(path: Path | None) -> Path | None:
        return None if path is None else folder / path.name

    weights = folder / checkpoint.weights.name
    return replace(
        checkpoint, config=there(checkpoint.config), preprocessor=there(checkpoint.preprocessor), weights=weights
    )
