from __future__ import annotations

import os
import threading
import time
from io import BytesIO

import pytest

from cedtag.run.outputs.blocks import WholeBlocks, in_whole_blocks, write_block


def failing_after(num_bytes: int):
    """`os.write` on a disk with so much room."""
    write, room = os.write, [num_bytes]

    def limited(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        taken = write(descriptor, bytes(data[: room[0]]))
        room[0] -= taken
        return taken

    return limited


@pytest.mark.parametrize("mode", ["wb", "ab"])
@pytest.mark.parametrize("room", range(12))
def test_a_file_ends_after_the_last_whole_block(tmp_path, monkeypatch, mode, room):
    path = tmp_path / "rows"
    path.write_bytes(b"old\n")
    before = b"old\n" if mode == "ab" else b""
    with path.open(mode) as out:
        monkeypatch.setattr(os, "write", failing_after(room))
        blocks = WholeBlocks(out)
        for _ in range(room // 4):
            write_row(blocks)
        with pytest.raises(OSError, match="No space"):
            write_row(blocks)
        blocks.flush()  # what failed is not tried again
    assert path.read_bytes() == before + b"abc\n" * (room // 4)


def write_row(blocks: WholeBlocks) -> None:
    blocks.write(b"ab")
    blocks.write(b"c\n")
    blocks.flush()


def test_positions_go_on_over_blocks(tmp_path):
    with (tmp_path / "rows").open("wb") as out:
        blocks = WholeBlocks(out)
        blocks.write(b"abc")
        blocks.flush()
        assert (blocks.write(b"de"), blocks.tell()) == (2, 5)


def test_what_another_program_has_written_since_stays(tmp_path, monkeypatch):
    path = tmp_path / "log"
    with path.open("ab") as out:
        write = failing_after(2)

        def interfering(descriptor: int, data: bytes) -> int:
            try:
                return write(descriptor, data)
            except OSError:
                with path.open("ab") as other:
                    other.write(b"theirs")
                raise

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", interfering)
            with pytest.raises(OSError, match="No space"):
                write_block(out.fileno(), b"ours")
    assert path.read_bytes() == b"outheirs"


def test_a_pipe_that_does_not_block_is_waited_for():
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    received = bytearray()

    def read() -> None:
        time.sleep(0.1)
        while piece := os.read(read_end, 1 << 16):
            received.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    block = bytes(range(256)) * 2000
    write_block(write_end, block)
    os.close(write_end)
    reader.join()
    os.close(read_end)
    assert received == block


def test_a_stream_without_a_descriptor_is_written_as_it_is():
    out = BytesIO()
    assert in_whole_blocks(out) is out
