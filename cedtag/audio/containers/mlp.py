"""MLP and Dolby TrueHD: access units with a length and a parity; one in about a hundred begins with a sync word."""

from __future__ import annotations

import re
from functools import reduce
from operator import xor
from typing import TYPE_CHECKING

from cedtag.audio.containers.units import Units, inspect_units

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.findings import Findings

_SYNC = re.compile(rb"[\x00-\xff]{4}\xf8ro[\xba\xbb]", re.DOTALL)
_TRUEHD = 0xBA  # the last byte of its sync word
_SYNC_HEADER_BYTES = 28


def inspect_mlp(file: FileBytes) -> Findings:
    """Walk the access units: none may be cut or damaged."""
    num_substreams = file.at(20, 1)[0] >> 4 if file.size > 20 else 0

    def unit_bytes(file: FileBytes, offset: int) -> int:
        head = file.peek(offset, 128)
        size = 2 * (int.from_bytes(head[:2], "big") & 0xFFF)
        directory = 4
        if _SYNC.match(head) is not None and len(head) >= directory + _SYNC_HEADER_BYTES:
            is_extended = head[7] == _TRUEHD and head[29] & 1
            directory += _SYNC_HEADER_BYTES + (2 + 2 * (head[30] >> 4) if is_extended else 0)
        end = directory
        for _ in range(num_substreams):
            has_extra_word = head[end : end + 1] >= b"\x80"
            end += 4 if has_extra_word else 2
        parity = reduce(xor, head[:4] + head[directory:end], 0)
        return size if size >= end and (parity >> 4 ^ parity) & 15 == 15 else 0

    return inspect_units(file, Units("access unit", unit_bytes, _SYNC, 8))
