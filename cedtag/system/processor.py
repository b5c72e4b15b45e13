"""The make of the processor, and which of the instructions that speed up a model it has."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# What it is called here -> the kernel's names (Linux: /proc/cpuinfo), and those of sysctl (macOS).
_NAMES = {
    "avx2": ("avx2", "AVX2"),
    "avx512f": ("avx512f", "AVX512F"),
    "vnni": ("avx512_vnni", "avx_vnni", "AVX512VNNI"),
    "avx512_bf16": ("avx512_bf16", "AVX512_BF16"),
    "amx_int8": ("amx_int8",),
    "amx_bf16": ("amx_bf16",),
    "i8mm": ("i8mm", "FEAT_I8MM"),
    "bf16": ("bf16", "FEAT_BF16"),
}
FEATURES = tuple(_NAMES)
_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Processor:
    """`features` are those of `FEATURES` that every core has; None where the system does not list them."""

    name: str
    features: tuple[str, ...] | None

    @property
    def has_bf16(self) -> bool:
        """Whether it multiplies bf16 numbers faster than fp32 ones."""
        return not set(self.features or ()).isdisjoint(_BF16)

    def __str__(self) -> str:
        if self.features is None:
            return f"{self.name}, of instructions that this system does not list"
        return f"{self.name} with {', '.join(self.features)}" if self.features else self.name


@cache
def processor() -> Processor:
    """The processor of this machine."""
    if sys.platform == "darwin":
        return of_sysctl(_sysctl())
    try:
        return of_cpuinfo(_CPUINFO.read_text(errors="replace"))
    except OSError:
        return Processor(platform.processor() or platform.machine(), None)


def of_cpuinfo(text: str) -> Processor:
    """The processor that Linux describes in /proc/cpuinfo; cores may differ in what they have."""
    names = re.findall(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    lists = re.findall(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    shared = set.intersection(*(set(each.split()) for each in lists)) if lists else None
    return Processor(names[0].strip() if names else platform.machine(), _known(shared))


def of_sysctl(text: str) -> Processor:
    """The processor that macOS describes in the lines of `sysctl`."""
    values = dict(re.findall(r"^([\w.]+): (.*)$", text, re.MULTILINE))
    listed = {word for name, value in values.items() if name.endswith("features") for word in value.split()}
    stated = {name.rpartition(".")[2] for name, value in values.items() if ".optional." in name and value == "1"}
    return Processor(values.get("machdep.cpu.brand_string", platform.machine()), _known(listed | stated or None))


def _known(stated: set[str] | None) -> tuple[str, ...] | None:
    if stated is None:
        return None
    return tuple(feature for feature, names in _NAMES.items() if not stated.isdisjoint(names))


def _sysctl() -> str:
    names = ("machdep.cpu", "hw.optional")
    try:
        return subprocess.run(("sysctl", *names), capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
