"""The device and the precision in which torch computes, from what was asked for and what is there."""

from __future__ import annotations

import torch

from cedtag.errors import InputError
from cedtag.system.processor import processor


def find_device(wanted: str) -> torch.device:
    """The device that was asked for; an absent one is an InputError, never another device."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if available[name]))
    kind, _, number = wanted.partition(":")
    if kind not in available or (number and not (kind == "cuda" and number.isdecimal())):
        raise InputError(f"`device` {wanted}: no such device; use auto, cpu, cuda, cuda:N or mps")
    if not available[kind] or (kind == "cuda" and int(number or 0) >= torch.cuda.device_count()):
        raise InputError(f"`device` {wanted}: this machine or this torch has none; -d cpu works everywhere")
    return torch.device(wanted)


def find_precision(wanted: str, device: torch.device) -> str:
    """The precision to compute in: "fp32" on a CPU, half on a GPU, unless another one is asked for."""
    if wanted == "int8":
        raise InputError("`precision` int8: ONNX Runtime computes in int8, on a CPU; use --backend onnx")
    if device.type == "cpu":
        return _cpu_precision(wanted)
    has_bf16 = device.type != "cuda" or torch.cuda.is_bf16_supported()
    if wanted == "bf16" and not has_bf16:
        raise InputError("`precision` bf16: this GPU cannot; use fp16 or fp32")
    return ("bf16" if has_bf16 else "fp16") if wanted == "auto" else wanted


def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bf16 numbers, and this torch lets it.

    torch alone says so of every processor with AVX-512, where bf16 without its instructions takes three times as long
    as fp32.
    """
    return processor().has_bf16 and _bf16_in_onednn()


def packs_weights(precision: str) -> bool:
    """Whether oneDNN's products of packed weights are the fastest on this processor.

    In fp32 they take a tenth less than the others with AVX-512, and a twentieth more without.
    """
    has_avx512 = torch._C._has_mkldnn and torch.backends.cpu.get_cpu_capability() == "AVX512"
    return precision == "bf16" or (precision == "fp32" and has_avx512)


def _cpu_precision(wanted: str) -> str:
    if wanted == "fp16":
        raise InputError("`precision` fp16: torch computes in fp32 or bf16 on a CPU; leave it out, or use a GPU")
    if wanted == "bf16" and not cpu_has_bf16():
        raise InputError(
            f"`precision` bf16: it would be slower than fp32 on this processor ({processor()}); it takes one with "
            "AVX512-BF16 or AMX (Xeon and EPYC from their 4th generations on, Ryzen from 7000 on) or ARM's bf16; "
            "leave it out, or use int8, or a GPU"
        )
    return "fp32" if wanted == "auto" else wanted


def _bf16_in_onednn() -> bool:
    return torch._C._has_mkldnn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
