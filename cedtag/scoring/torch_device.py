"""The device and the precision in which torch computes, from what was asked for and what is there."""

from __future__ import annotations

import torch

from cedtag.errors import InputError


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
    """The precision to compute in: "fp32" on a CPU, half on a GPU unless fp32 is asked for."""
    if device.type == "cpu":
        if wanted not in ("auto", "fp32"):
            raise InputError(
                f"`precision` {wanted}: torch computes in fp32 on a CPU, where half precision is slower; leave it out, "
                "or use a GPU, or --backend onnx for int8"
            )
        return "fp32"
    if wanted == "int8":
        raise InputError("`precision` int8: ONNX Runtime computes in int8, on a CPU; use --backend onnx")
    has_bf16 = device.type != "cuda" or torch.cuda.is_bf16_supported()
    if wanted == "bf16" and not has_bf16:
        raise InputError("`precision` bf16: this GPU cannot; use fp16 or fp32")
    return ("bf16" if has_bf16 else "fp16") if wanted == "auto" else wanted
