"""The folder of a convolutional teacher: config, front end and weights, as that of a CED has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.checkpoints.names import CONFIG_NAME, WEIGHTS_NAME
from cedtag.errors import ModelError, OutputError
from cedtag.model.config import MULTI_LABEL, SINGLE_LABEL
from cedtag.model.json_file import read_json_object, write_json_object
from cedtag.model.preprocessor import read_preprocessor
from cedtag.model.weights import encoder_weights, load_weights, read_weights, save_weights
from cedtag.training.teacher import ConvTeacher

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.model.config import CedConfig
    from cedtag.model.features import CedFeatureExtractor
    from cedtag.model.front_end import FrontEnd

MODEL_TYPE = "cedtag-conv-teacher"
_MOST_CLASSES = 100_000


@dataclass(frozen=True, slots=True)
class TrainedTeacher:
    """A teacher that can be asked: its network, its classes, what its scores are, and its front end."""

    network: ConvTeacher
    classes: tuple[str, ...]
    problem_type: str
    front_end: FrontEnd


def save_teacher(
    folder: Path, network: ConvTeacher, classes: Sequence[str], problem_type: str, extractor: CedFeatureExtractor
) -> None:
    """Write the folder of a teacher, the weights last; OutputError where that cannot be done."""
    config = {"model_type": MODEL_TYPE, "problem_type": problem_type, "classes": list(classes)}
    try:
        write_json_object(folder / CONFIG_NAME, config)
        extractor.save_pretrained(folder)
        save_weights(folder / WEIGHTS_NAME, {name: tensor.cpu() for name, tensor in network.state_dict().items()})
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot save the teacher ({error}); free some space and run the same again"
        ) from error


def save_teachers(
    folder: Path, weights: Sequence[Mapping[str, Tensor]], config: CedConfig, extractor: CedFeatureExtractor
) -> None:
    """Write the teachers of a training with these weights, each into a folder of its own in the model's."""
    for number, tensors in enumerate(weights, 1):
        network = ConvTeacher(config.n_mels, config.outputdim)
        network.load_state_dict(tensors)
        save_teacher(
            folder / f"teacher-{number}", network, tuple(config.id2label.values()), config.problem_type, extractor
        )


def is_teacher(checkpoint: Checkpoint) -> bool:
    """Whether the config of a checkpoint is that of a teacher."""
    return checkpoint.config is not None and read_json_object(checkpoint.config).get("model_type") == MODEL_TYPE


def load_teacher(checkpoint: Checkpoint) -> TrainedTeacher:
    """The teacher in a folder, in evaluation mode; ModelError for a damaged one."""
    if checkpoint.config is None or checkpoint.preprocessor is None:
        raise ModelError(f"{checkpoint.name}: holds no config of a teacher; train it again")
    config = read_json_object(checkpoint.config)
    classes, problem_type = config.get("classes"), config.get("problem_type")
    if (
        not isinstance(classes, list)
        or not 1 <= len(classes) <= _MOST_CLASSES
        or not all(isinstance(name, str) for name in classes)
        or problem_type not in (MULTI_LABEL, SINGLE_LABEL)
    ):
        raise ModelError(f"{checkpoint.config}: is not the config of a teacher; train it again")
    front_end = read_preprocessor(checkpoint.preprocessor)
    network = ConvTeacher(front_end.n_mels, len(classes))
    # Whatever has no name of a CED's head is read as part of its encoder.
    load_weights(network, encoder_weights(read_weights(checkpoint.weights)), checkpoint.weights)
    return TrainedTeacher(network.eval(), tuple(classes), str(problem_type), front_end)
