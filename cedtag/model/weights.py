"""Weight files: safetensors or PyTorch's, in the Hub's layout or that of CED's original repository, checked in full."""

from __future__ import annotations

import logging
import math
import pickle
import struct
import warnings
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cedtag.checkpoints.names import CONFIG_NAME
from cedtag.checkpoints.registry import KNOWN_CHECKPOINTS
from cedtag.checkpoints.shards import weight_files
from cedtag.errors import ModelError
from cedtag.model.config import CedConfig
from cedtag.model.fields import LARGEST_WEIGHT
from cedtag.model.pickle_check import check_pickle
from cedtag.model.weight_names import ENCODER, STEP_COUNTER, hub_name
from cedtag.system.atomic import replacing
from cedtag.system.special_files import followed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from torch import nn


# The deepest CED that a config may describe has 780. Opening hundreds of thousands of tensors takes many seconds.
_MAX_TENSORS = 4096
_WRAPPERS = ("model", "state_dict", "model_state_dict")
_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_VARIANCE = "running_var"
_LAST_LAYER = "outputlayer.1."

logger = logging.getLogger(__name__)

# What torch.load has been seen to raise for files that are damaged, hostile or something else.
_UNREADABLE = (
    pickle.UnpicklingError,
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors in a file, unconverted, under the Hub's names; no code in the file runs."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in chain.from_iterable(_read(file).items() for file in weight_files(path)):
        if (known_as := hub_name(name)) is None:
            continue
        if known_as in renamed:
            raise ModelError(f"{path}: holds {known_as} twice; download it again")
        renamed[known_as] = tensor
    return renamed


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], source: Path) -> None:
    """Give `module` the tensors read from `source`, as float32; an error, if they are not exactly the ones it has.

    Half and double precision are converted. Nothing in `module` changes before every tensor has been checked.
    """
    _check_fit(module.state_dict(), tensors, source)
    module.load_state_dict({name: _checked(name, tensor, source) for name, tensor in tensors.items()}, assign=True)


def with_matching_head(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a checkpoint, with those of `expected` where the last layer has another number of classes."""
    head = [
        name
        for name, tensor in expected.items()
        if name.startswith(_LAST_LAYER) and name in tensors and tensors[name].shape != tensor.shape
    ]
    if head:
        logger.warning("the last layer (%s) has another size in the checkpoint, and is new", ", ".join(head))
    return {**tensors, **{name: expected[name] for name in head}}


def save_weights(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors, whole or not at all; a symbolic link stays, and its target is replaced."""
    path = followed(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        # Not save_file, which makes a file that nobody else may read.
        temporary.write_bytes(save(contiguous, metadata={"format": "pt"}))


def encoder_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the encoder alone, under its own names."""
    return {name.removeprefix(ENCODER): tensor for name, tensor in tensors.items() if name.startswith(ENCODER)}


def inferred_config(tensors: Mapping[str, Tensor], source: Path) -> CedConfig:
    """The config of weights that come without one, from their shapes and the heads of the published sizes."""
    try:
        embed_dim, _, patch_size, _ = tensors["encoder.patch_embed.proj.weight"].shape
        hidden_dim, _ = tensors["encoder.blocks.0.mlp.fc1.weight"].shape
        num_outputs, _ = tensors["outputlayer.1.weight"].shape
        (n_mels,) = tensors["encoder.init_bn.weight"].shape
        grid_length = tensors["encoder.time_pos_embed"].shape[3]
    except (KeyError, ValueError, IndexError) as error:
        raise ModelError(f"{source}: holds no CED audio tagger; give a CED checkpoint") from error
    heads_by_dim = {known.embed_dim: known.num_heads for known in KNOWN_CHECKPOINTS}
    if embed_dim not in heads_by_dim:
        raise ModelError(
            f"{source}: has {embed_dim} dimensions, unlike every published CED, so its number of attention heads is "
            f"not known; put its {CONFIG_NAME} beside it"
        )
    usual = CedConfig().target_length
    fits_usual = patch_size and usual // patch_size == grid_length
    try:
        return CedConfig(
            embed_dim=embed_dim,
            num_heads=heads_by_dim[embed_dim],
            depth=len({name.split(".")[2] for name in tensors if name.startswith("encoder.blocks.")}),
            mlp_ratio=hidden_dim / embed_dim,
            qkv_bias="encoder.blocks.0.attn.qkv.bias" in tensors,
            patch_size=patch_size,
            patch_stride=patch_size,
            target_length=usual if fits_usual else grid_length * patch_size,
            outputdim=num_outputs,
            n_mels=n_mels,
        )
    except ModelError as error:
        raise ModelError(f"{source}: {error}") from error


def _read(path: Path) -> dict[str, Tensor]:
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            _check_number(len(names), path)
            return {name: file.get_tensor(name) for name in names}
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error})") from error
    except SafetensorError as error:
        raise ModelError(f"{path}: not a safetensors file, or damaged ({error}); download it again") from error


def _read_pickle(path: Path) -> dict[str, Tensor]:
    check_pickle(path)
    try:
        with warnings.catch_warnings():
            # For files that are no checkpoints, torch warns about formats before it fails.
            warnings.simplefilter("ignore")
            # Explicit, so that no environment variable can make torch run code from the file.
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    except _UNREADABLE:
        # Without the cause: torch's text advises to switch this protection off.
        raise ModelError(f"{path}: damaged, or more than plain weights; download it again or use safetensors") from None
    wrapped = [content[key] for key in _WRAPPERS if isinstance(content, Mapping) and key in content]
    tensors = wrapped[0] if wrapped else content
    if not isinstance(tensors, Mapping) or not tensors:
        raise ModelError(f"{path}: holds no dictionary of weights; give a CED checkpoint")
    _check_number(len(tensors), path)
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not _is_plain(tensor):
            raise ModelError(f"{path}: {str(name)[:100]} is no plain tensor; give a CED checkpoint")
    return dict(tensors)


def _check_number(num_tensors: int, path: Path) -> None:
    if num_tensors > _MAX_TENSORS:
        raise ModelError(f"{path}: holds {num_tensors} tensors, too many for a CED; give a CED checkpoint")


def _is_plain(tensor: object) -> bool:
    return (
        isinstance(tensor, Tensor)
        and tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_quantized
    )


def _check_fit(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], source: Path) -> None:
    # Batch norm's counter matters only with a momentum of None, and older files lack it.
    missing = [name for name in expected if name not in found and not name.endswith(STEP_COUNTER)]
    unexpected = [name for name in found if name not in expected]
    reshaped = [
        f"{name} {tuple(found[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in found and found[name].shape != tensor.shape
    ]
    differences = {"missing": missing, "unexpected": unexpected, "other shapes": reshaped}
    text = "; ".join(f"{kind}: {_first_few(names)}" for kind, names in differences.items() if names)
    if text:
        raise ModelError(f"{source}: the weights are not those of its config ({text}); give files that belong together")


def _first_few(names: Iterable[str]) -> str:
    first, rest = list(names)[:3], list(names)[3:]
    return ", ".join(name[:120] for name in first) + (f" and {len(rest)} more" if rest else "")


def _checked(name: str, tensor: Tensor, source: Path) -> Tensor:
    """A float32 copy of a tensor; one with NaN or infinite values is an error."""
    if name.endswith(STEP_COUNTER) and tensor.dtype == torch.int64:
        return tensor.clone()
    if tensor.dtype not in _FLOATS:
        raise ModelError(f"{source}: {name} has type {tensor.dtype}, expected floating point; give a CED checkpoint")
    # A copy, because the file may be mapped into memory: it would change, or crash us, when the file does.
    own = tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    # The extremes are NaN if any value is, and faster than asking each of them.
    least, greatest = (extreme.item() for extreme in own.aminmax()) if own.numel() else (0.0, 0.0)
    if not math.isfinite(greatest - least):
        raise ModelError(f"{source}: {name} holds NaN or infinite values; download it again")
    if (largest := max(-least, greatest)) > LARGEST_WEIGHT:
        raise ModelError(f"{source}: {name} holds {largest:.3g}, which no trained weight is; download it again")
    if name.endswith(_VARIANCE) and least < 0:
        raise ModelError(f"{source}: {name} holds {least:.3g}, but no variance is negative; download it again")
    return own
