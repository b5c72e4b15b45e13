"""Windows -> class probabilities with ONNX Runtime on a CPU, without torch, in fp32 or int8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cedtag.errors import InputError, MissingPackageError
from cedtag.labels.table import labels_of
from cedtag.model.config import CedConfig
from cedtag.model.fields import LARGEST_WEIGHT
from cedtag.model.preprocessor import front_end_of
from cedtag.model.weight_names import STEP_COUNTER, hub_name
from cedtag.scoring.batching import cpu_batch_size
from cedtag.scoring.onnx_model import COLUMNS, EMBEDDING, POWER, PROBABILITIES, ced_model, weight_shapes
from cedtag.scoring.power_spectra import PowerSpectra
from cedtag.system.extras import is_installed, missing
from cedtag.system.machine import keep_freed_memory
from cedtag.system.telemetry import disable_telemetry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnxruntime
    from numpy.typing import NDArray

    from cedtag.checkpoints.locate import Checkpoint
    from cedtag.model.front_end import FrontEnd
    from cedtag.records import Window
    from cedtag.scoring.onnx_model import Weights


# Of weights that NumPy reads. Integers are counters, which are not used.
_TYPES = ("F64", "F32", "F16", "I64")


class OnnxScorer:
    """Scores windows one by one, so that nothing beside a window can change a bit of its result.

    Safe to call from several threads, which share the weights and each compute alone.
    """

    device = "cpu"
    across_recordings = False

    def __init__(
        self,
        config: CedConfig,
        front_end: FrontEnd,
        weights: Weights,
        precision: str = "fp32",
        batch_size: int | None = None,
        name: str = "the model",
    ) -> None:
        self.name = name
        self.precision = precision
        self.labels = labels_of(config.id2label)
        self.shortest_window = front_end.patch_samples
        self.longest_window = front_end.samples_of(config.target_length)
        self.batch_size = batch_size or cpu_batch_size(config)
        self.embedding_size = config.embed_dim
        self._spectra = PowerSpectra(front_end)
        keep_freed_memory()
        self._session, self._only_wanted = _session(ced_model(config, front_end, weights, int8=precision == "int8"))

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"backend": "onnx", "device": self.device, "precision": self.precision}

    def prepare_thread(self) -> None:
        """ONNX Runtime computes in the calling thread alone as it is."""

    def score(self, windows: Sequence[Window]) -> NDArray[np.float32]:
        """Probabilities `(windows, classes)`."""
        scores = np.empty((len(windows), len(self.labels)), np.float32)
        for row, power in zip(scores, self._spectra(windows), strict=True):
            row[:] = self._session.run([PROBABILITIES], {POWER: power}, self._only_wanted)[0][0]
        return scores

    def score_embedded(self, windows: Sequence[Window]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The same, and the embeddings `(windows, embedding_size)`."""
        scores = np.empty((len(windows), len(self.labels)), np.float32)
        embeddings = np.empty((len(windows), self.embedding_size), np.float32)
        for row, embedding, power in zip(scores, embeddings, self._spectra(windows), strict=True):
            (row[:],), (embedding[:],) = self._session.run(
                [PROBABILITIES, EMBEDDING], {POWER: power}, self._only_wanted
            )
        return scores, embeddings

    def score_columns(self, windows: Sequence[Window]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """The same, and the probabilities `(columns, classes)` of each window."""
        scores, columns = np.empty((len(windows), len(self.labels)), np.float32), []
        for row, power in zip(scores, self._spectra(windows), strict=True):
            (row[:],), own = self._session.run([PROBABILITIES, COLUMNS], {POWER: power})
            columns.append(own)
        return scores, columns

    def score_whole(
        self, windows: Sequence[Window]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], list[NDArray[np.float32]]]:
        """Probabilities, embeddings, and those of columns."""
        scores, columns = np.empty((len(windows), len(self.labels)), np.float32), []
        embeddings = np.empty((len(windows), self.embedding_size), np.float32)
        for row, embedding, power in zip(scores, embeddings, self._spectra(windows), strict=True):
            (row[:],), (embedding[:],), own = self._session.run([PROBABILITIES, EMBEDDING, COLUMNS], {POWER: power})
            columns.append(own)
        return scores, embeddings, columns


def load_onnx_scorer(
    checkpoint: Checkpoint, device: str = "auto", precision: str = "auto", batch_size: int | None = None
) -> OnnxScorer:
    """Load a checkpoint in the precision "fp32" (which "auto" means) or "int8"."""
    if device not in ("auto", "cpu"):
        raise InputError(f"`device` {device}: ONNX Runtime and int8 are for CPUs here; use -d cpu, or --backend torch")
    if precision not in ("auto", "fp32", "int8"):
        raise InputError(f"`precision` {precision}: ONNX Runtime computes in fp32 or int8 here; use --backend torch")
    plain = _plain_weights(checkpoint)
    if plain is None:
        if not is_installed("torch"):
            raise _unreadable_without_torch(checkpoint)
        plain = _weights_by_torch(checkpoint)
    config, weights = plain
    front_end = front_end_of(checkpoint, config)
    precision = "int8" if precision == "int8" else "fp32"
    return OnnxScorer(config, front_end, weights, precision, batch_size, checkpoint.name)


def _session(model: bytes) -> tuple[onnxruntime.InferenceSession, onnxruntime.RunOptions]:
    """A session, and the options of a run that computes no output but those that are wanted."""
    disable_telemetry()
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPackageError(missing("int8 and `backend` onnx need ONNX Runtime", "onnx")) from error
    onnxruntime.disable_telemetry_events()  # where the caller has imported it before, without the variable
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # windows differ in length
    # The model is fused already. The optimiser would add a slow operator, and may change with its version.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    only_wanted = onnxruntime.RunOptions()
    only_wanted.only_execute_path_to_fetches = True
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]), only_wanted


def _plain_weights(checkpoint: Checkpoint) -> tuple[CedConfig, Weights] | None:
    """The config and the weights of a checkpoint in safetensors, in types that NumPy has; else None."""
    from safetensors import SafetensorError, safe_open

    if checkpoint.config is None or checkpoint.weights.suffix != ".safetensors":
        return None
    config = CedConfig.from_file(checkpoint.config)
    weights: dict[str, NDArray[np.float32]] = {}
    try:
        with safe_open(checkpoint.weights, framework="numpy") as file:
            names = [name for name in file.keys() if hub_name(name) is not None]  # noqa: SIM118
            for name in names:
                if file.get_slice(name).get_dtype() not in _TYPES:
                    return None
                with np.errstate(over="ignore"):  # what becomes infinite is not sound
                    weights[str(hub_name(name))] = np.asarray(file.get_tensor(name), np.float32)
    except (OSError, SafetensorError):
        return None
    is_whole = len(weights) == len(names)  # no two have one name
    weights.pop(f"encoder.init_bn.{STEP_COUNTER}", None)
    shapes = {name: values.shape for name, values in weights.items()}
    if not is_whole or shapes != weight_shapes(config) or not all(_is_sound(*each) for each in weights.items()):
        return None  # torch reports what is wrong
    return config, weights


def _unreadable_without_torch(checkpoint: Checkpoint) -> MissingPackageError:
    """What is wrong with weights that only torch can read, or name the fault of."""
    what = f"{checkpoint.weights}: these weights are read by torch"
    if checkpoint.weights.suffix == ".safetensors" and checkpoint.config is not None:
        what = f"{checkpoint.weights}: is damaged, is not that of its config, or is in bfloat16; torch tells which"
    return MissingPackageError(missing(what, "torch"))


def _is_sound(name: str, values: NDArray[np.float32]) -> bool:
    """Whether weights are numbers that can be computed with; NaN is none, as it is in no range."""
    least = 0.0 if name.endswith("running_var") else -LARGEST_WEIGHT
    return bool(values.size == 0 or (values.min() >= least and values.max() <= LARGEST_WEIGHT))


def _weights_by_torch(checkpoint: Checkpoint) -> tuple[CedConfig, Weights]:
    """The config and the weights of any checkpoint: torch reads every layout, and its errors name what is wrong."""
    from cedtag.model.network import CedForAudioClassification

    model = CedForAudioClassification.from_checkpoint(checkpoint)
    return model.config, {name: tensor.numpy() for name, tensor in model.state_dict().items()}
