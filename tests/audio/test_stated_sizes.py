"""What a header states about the length of a file is compared with the file."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from cedtag.audio.containers.audit import audit
from cedtag.audio.containers.file_bytes import FileBytes
from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.identify import Container
from tests.sounds import bursts, decoded, write

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = {"nist": "sph", "voc": "voc", "8svx": "iff", "wve": "wve", "avr": "avr"}
SUBTYPES = {"wve": "ALAW"}


def sv7(num_frames: int) -> bytes:
    """Return Musepack SV7: frames of some hundred bits, each behind its length, in words of 32 bits."""
    lengths = [300 + number % 7 for number in range(num_frames)]
    bits = "0" * 8 + "".join(f"{length:020b}".ljust(20 + length, "1") for length in lengths)  # behind the header
    bits = bits.ljust(-(-len(bits) // 32) * 32, "0")
    body = b"".join(int(bits[at : at + 32], 2).to_bytes(4, "little") for at in range(0, len(bits), 32))
    return b"MP+\x07" + num_frames.to_bytes(4, "little") + bytes(16) + body


def sv8() -> bytes:
    def packet(name: bytes, body: bytes) -> bytes:
        return name + bytes([0x80 | (len(body) + 4) >> 7, (len(body) + 4) & 127]) + body

    return b"MPCK" + packet(b"SH", bytes(10)) + 20 * packet(b"AP", b"sound" * 100) + packet(b"SE", b"")


def ape() -> bytes:
    sizes = struct.pack("<7I", 52, 24, 40, 44, 4_000, 0, 10)
    return b"MAC " + struct.pack("<HH", 3990, 0) + sizes + bytes(16) + bytes(24 + 40 + 44 + 4_000 + 10)


def dsf() -> bytes:
    return b"DSD " + struct.pack("<3Q", 28, 6_028, 0) + b"x" * 6_000


def dff() -> bytes:
    return b"FRM8" + (4_000).to_bytes(8, "big") + b"DSD " + bytes(3_996)


BY_HAND = {"ape": ape, "dsf": dsf, "dff": dff}
MUSEPACK = {"sv7": lambda: sv7(40), "sv8": sv8}


def inspected(path: Path, data: bytes, container: str) -> Findings:
    path.write_bytes(data)
    with path.open("rb") as stream:
        return audit(FileBytes(stream.fileno()), Container(container), 1)


def recording(folder: Path, container: str) -> bytes:
    if container in BY_HAND:
        return BY_HAND[container]()
    kind = {"8svx": "SVX", "nist": "NIST"}.get(container, container.upper())
    path = folder / f"good.{WRITTEN[container]}"
    return write(path, bursts(2, 8_000), 8_000, format=kind, subtype=SUBTYPES.get(container, "PCM_16")).read_bytes()


@pytest.mark.parametrize("container", [*WRITTEN, *BY_HAND])
def test_whole_files_are_complete_and_cut_ones_are_not(tmp_path: Path, container: str) -> None:
    data = recording(tmp_path, container)
    assert inspected(tmp_path / "whole", data, container) == Findings()
    for tenth in range(2, 10):
        findings = inspected(tmp_path / "cut", data[: tenth * len(data) // 10], container)
        assert len(findings.problems) == 1
        assert "is cut off" in findings.problems[0]
    assert inspected(tmp_path / "cut", data[:-2], container).problems


@pytest.mark.parametrize("container", ["nist", "voc", "8svx", "wve"])
def test_what_is_there_of_a_cut_file_is_read_and_partial(tmp_path: Path, container: str) -> None:
    data = recording(tmp_path, container)
    path = tmp_path / f"cut.{WRITTEN[container]}"
    path.write_bytes(data[: len(data) * 6 // 10])
    samples, problems, _ = decoded(path)
    assert len(samples) == pytest.approx(0.6 * 2 * 16_000, rel=0.05)
    assert any("is cut off" in problem for problem in problems)


@pytest.mark.parametrize("version", MUSEPACK)
def test_musepack_is_walked_to_its_end(tmp_path: Path, version: str) -> None:
    data = MUSEPACK[version]()
    assert inspected(tmp_path / "a.mpc", data, "musepack") == Findings()
    for tenth in range(1, 10):
        assert inspected(tmp_path / "a.mpc", data[: tenth * len(data) // 10], "musepack").problems


def test_a_nist_header_without_numbers_is_no_damage(tmp_path: Path) -> None:
    header = b"NIST_1A\n   1024\nend_head\n".ljust(1024)
    assert inspected(tmp_path / "a.sph", header + bytes(999), "nist") == Findings()


def test_a_voc_whose_size_has_wrapped_around_is_complete(tmp_path: Path) -> None:
    data = bytearray(recording(tmp_path, "voc"))
    at = data[20] | data[21] << 8
    data[at + 1 : at + 4] = (5_000).to_bytes(3, "little")
    data[at + 4 + 5_000] = 50
    assert inspected(tmp_path / "long.voc", bytes(data), "voc") == Findings()
