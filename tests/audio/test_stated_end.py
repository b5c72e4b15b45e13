"""What is missing at the end of less common containers is found by what they state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cedtag.audio import Decoders
from cedtag.audio.containers.file_bytes import FileBytes
from cedtag.audio.containers.stated_end import inspect_end
from tests.sounds import bursts, decoded_by, write_av

if TYPE_CHECKING:
    from pathlib import Path

av = pytest.importorskip("av")


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz", "problem"),
    [
        ("a.adx", "adpcm_adx", 44_100, "of 44064 frames"),
        ("a.mmf", "adpcm_yamaha", 22_050, "is cut off"),
        ("a.rm", "ac3", 44_100, "is cut off"),
    ],
)
def test_a_cut_file_is_partial_and_a_whole_one_is_not(
    tmp_path: Path, name: str, codec: str, rate_hz: int, problem: str
) -> None:
    try:
        write_av(tmp_path / name, bursts(1, rate_hz), rate_hz, codec)
    except (av.FFmpegError, ValueError) as error:
        pytest.skip(f"this PyAV does not write it: {error}")
    with Decoders() as decoders:
        samples, problems, _ = decoded_by(decoders, tmp_path / name)
        assert problems == []
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        fewer, problems, _ = decoded_by(decoders, tmp_path / name)
    assert 0 < len(fewer) < len(samples)
    assert any(problem in said for said in problems), problems


@pytest.mark.parametrize(("end", "num_problems"), [(bytes.fromhex("0000000001fb00000010e1e2"), 0), (bytes(99), 1)])
def test_gxf_ends_with_a_packet_of_its_own(tmp_path: Path, end: bytes, num_problems: int) -> None:
    path = tmp_path / "a.gxf"
    path.write_bytes(bytes(9_999) + end)
    with path.open("rb") as file:
        assert len(inspect_end("gxf", FileBytes(file.fileno()), 0).problems) == num_problems
