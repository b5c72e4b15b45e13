"""Files that are no audio, by their first bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

# A file counts as nothing but zeros when this many of its first bytes are.
_ZERO_BYTES = 1 << 16

_CONVERT = "which cedtag cannot decode; convert it to WAV with the program that made it"

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
    (b"\x1f\x8b\x08", "gzip-compressed data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"rar!", "a RAR archive"),
    (b"mthd", "MIDI notes, which hold no sound"),
    (b"extended module: ", "a tracker's notes, which hold no recording"),
    (b"impm", "a tracker's notes, which hold no recording"),
    (b"#extm3u", "a playlist"),
    (b"ffconcat", "a playlist"),
    (b"\x7felf", "a program"),
    (b"sqlite format 3", "an SQLite database"),
)


# Audio that neither libsndfile nor FFmpeg decodes.
_UNDECODABLE: tuple[tuple[int, bytes, str], ...] = (
    (0, b"OFR ", "OptimFROG audio, which cedtag cannot decode; convert it with: ofr --decode FILE"),
    *((0, b"LA0%d" % version, f"La (Lossless Audio), {_CONVERT}") for version in (2, 3, 4)),
    (0, b"LPAC", f"LPAC audio, {_CONVERT}"),
    (0, b"TTA2", f"True Audio 2, {_CONVERT}"),
    *((0, sync, f"Dolby AC-4, {_CONVERT}") for sync in (b"\xac\x40", b"\xac\x41")),
    (0, b"\xc0\xde\xc2", f"Codec 2 speech, {_CONVERT}"),
    (0, b"\x1c\xcc\x12\0", f"LC3 audio, {_CONVERT}"),
    (0, b"\x03ds2", f"dictation in DS2, {_CONVERT}"),
    (4, b"\x57\x90\x75\x36", "an Audible book, which is encrypted; cedtag cannot decode it"),
)


def undecodable(head: bytes) -> str | None:
    """Return what audio a file is, by its first bytes, that nothing here decodes, and what does; None for all else."""
    return next((what for at, magic, what in _UNDECODABLE if head[at : at + len(magic)] == magic), None)


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
    if is_text(head):
        return "text"
    return f"unknown data (it begins with {head[:8].hex(' ')})"


def other_type(file: FileBytes) -> str | None:
    """Return what a file certainly is that is no audio, or None."""
    head = file.at(0, 64).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((what for magic, what in _OTHER_TYPES if head.startswith(magic)), None)


def is_text(head: bytes) -> bool:
    """Return whether a file that begins like this is text."""
    ascii_bytes = sum(32 <= byte < 127 or byte in b"\t\r\n\f" for byte in head)
    controls = sum(byte < 32 and byte not in b"\t\r\n\f\x1b" for byte in head)
    return not controls and ascii_bytes > len(head) // 2
