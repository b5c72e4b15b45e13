"""Files that are no audio, by their first bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

# A file counts as nothing but zeros when this many of its first bytes are.
_ZERO_BYTES = 1 << 16

_OTHER_TYPES: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer: fetch the recording itself with `git lfs pull`"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<?xml", "an XML document"),
    (b"\x89png", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"gif8", "a GIF image"),
    (b"%pdf", "a PDF document"),
    (b"pk\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"rar!", "a RAR archive"),
    (b"mthd", "MIDI notes, which hold no sound"),
    (b"#extm3u", "a playlist"),
    (b"ffconcat", "a playlist"),
    (b"\x7felf", "a program"),
    (b"sqlite format 3", "an SQLite database"),
)


def describe_other(file: FileBytes) -> str:
    """Return what a file looks like that is no known container, in words for the user."""
    head = file.at(0, 512)
    if not head:
        return "tags without audio" if file.start else "an empty file"
    if (known := other_type(file)) is not None:
        return known
    if head[:3] == b"ID3":
        return "tags without audio"
    if file.is_zero(0, min(file.size, _ZERO_BYTES)):
        return "nothing but zero bytes"
    if _is_text(head):
        return "text"
    return f"unknown data (it begins with {head[:8].hex(' ')})"


def other_type(file: FileBytes) -> str | None:
    """Return what a file certainly is that is no audio, or None."""
    head = file.at(0, 64).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((what for magic, what in _OTHER_TYPES if head.startswith(magic)), None)


def _is_text(head: bytes) -> bool:
    ascii_bytes = sum(32 <= byte < 127 or byte in b"\t\r\n\f" for byte in head)
    controls = sum(byte < 32 and byte not in b"\t\r\n\f\x1b" for byte in head)
    return not controls and ascii_bytes > len(head) // 2
