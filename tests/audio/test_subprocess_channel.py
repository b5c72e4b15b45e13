"""Requests and answers arrive whole, however they are cut on their way."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from cedtag.audio.audio_file import AudioFile
from cedtag.audio.containers.identify import Container
from cedtag.audio.raw import RawFormat
from cedtag.audio.subprocess_channel import (
    BLOCK,
    ENDED,
    receive_file,
    receive_message,
    send_file,
    send_json,
    send_message,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def channel() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def fd() -> Iterator[int]:
    read, write = os.pipe()
    yield read
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("form", [Container("mp3", start=417), Container("mp4", "mov"), RawFormat("s24be", 48_000, 2)])
@pytest.mark.parametrize("name", ["a.wav", "\udcff\n\"'\0 🐦", "long/" * 200_000])
def test_a_file_arrives_with_its_format_and_an_open_descriptor(
    channel: tuple[socket.socket, socket.socket], fd: int, form: Container | RawFormat, name: str
) -> None:
    ours, theirs = channel
    ours.settimeout(60)  # so that a long request goes out in parts
    sent = AudioFile(name, fd, form, (12, 34))
    sender = threading.Thread(target=send_file, args=(ours, sent))
    sender.start()
    asked = receive_file(theirs)
    sender.join()
    assert asked is not None
    received, frames = asked
    assert not frames
    assert received.fd != fd
    assert os.path.sameopenfile(received.fd, fd)
    received.close()
    assert received == AudioFile(name, received.fd, form, (12, 34))


@pytest.mark.parametrize("begun", [b"", b'{"name":'])
def test_nothing_arrives_from_who_is_gone(channel: tuple[socket.socket, socket.socket], begun: bytes) -> None:
    ours, theirs = channel
    ours.sendall(begun)
    ours.close()
    assert receive_file(theirs) is None


def test_messages_arrive_whole_and_end_with_the_sender() -> None:
    read, write = os.pipe()
    block = bytes(range(256)) * 1_000

    def send() -> None:
        with os.fdopen(write, "wb") as answers:
            send_message(answers, BLOCK, block)
            send_json(answers, ENDED, {"problems": []})
            answers.write(b"\0")  # the sender dies in the middle of a message

    sender = threading.Thread(target=send)
    sender.start()
    with os.fdopen(read, "rb", buffering=0) as answers:
        assert [receive_message(answers) for _ in range(3)] == [(BLOCK, block), (ENDED, b'{"problems": []}'), None]  # type: ignore[comparison-overlap]
    sender.join()
