"""Whether MPEG audio is complete: what its frames and its tag say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cedtag.audio.containers.findings import Findings
from cedtag.audio.containers.mpeg import id3_end
from cedtag.audio.containers.mpeg_checksums import count_bad_checksums
from cedtag.audio.containers.mpeg_walk import walk_frames
from cedtag.audio.containers.other_files import is_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cedtag.audio.containers.file_bytes import FileBytes
    from cedtag.audio.containers.identify import Container
    from cedtag.audio.containers.mpeg_walk import Walk

# So many zeros fill up the last block of a disk; more of them may be sound that was never written.
_HARMLESS_ZEROS = 4_096
# What other programs write behind the audio, by its first bytes.
_TRAILERS = (b"TAG", b"3DI", b"APETAGEX", b"LYRICS", b"ID3", b"RIFF", b"LIST", b"\x89PNG", b"\xff\xd8\xff", b"PK\3\4")


def inspect_mpeg(file: FileBytes, container: Container, decoded_samples: int) -> Findings:
    """Compare the frames that are there with those that the tag promises and those decoded; name the other bytes."""
    walk = walk_frames(file, container.start)
    if walk is None:
        return Findings(("has no MPEG audio frame",))
    problems = [*_missing(walk, decoded_samples)]
    warnings: list[str] = []
    num_bad, num_checked = _checksums(file, walk)
    if 2 * num_bad > num_checked > walk.num_frames / 2:
        warnings.append("the checksums of its MPEG frames are wrong throughout: its encoder did not compute them")
    elif num_bad:
        problems.append(f"MPEG frames that are damaged, by their checksums: {num_bad} of {num_checked}")
    if container.promised_bytes > file.size:
        problems.append(f"is cut off: {file.size} of {container.promised_bytes} bytes of audio are there")
    leading = walk.start - id3_end(file)
    if leading:
        warnings.append(f"its first {leading} bytes are no audio, or a cut frame")
    if walk.trailing_bytes:
        is_harmless = walk.is_complete or _is_trailer(file.at(file.size - walk.trailing_bytes, 512))
        trailing = f"{walk.trailing_bytes} bytes after the audio are something else"
        (warnings if is_harmless else problems).append(trailing)
    return Findings(tuple(problems), tuple(warnings))


def _checksums(file: FileBytes, walk: Walk) -> tuple[int, int]:
    """Return how many frames have a wrong checksum, and how many have one at all."""
    counts = [count_bad_checksums(file, part) for part in walk.parts if part.sizes.has_checksums]
    return sum(bad for bad, _ in counts), sum(checked for _, checked in counts)


def _missing(walk: Walk, decoded_samples: int) -> Iterator[str]:
    promised, there = walk.promised_frames, walk.num_frames
    # Some encoders count the frame that holds the tag, some do not.
    if promised is not None and there < promised and not walk.is_complete:
        yield f"is cut off or damaged: {there} of {promised} MPEG frames are there"
    if decoded_samples < walk.num_samples - walk.left_out:
        yield f"decoded {decoded_samples} of the {walk.num_samples} samples in its MPEG frames"
    if walk.cut is not None:
        yield "its last MPEG frame is cut off ({} of {} bytes are there)".format(*walk.cut)
    if walk.junk:
        total, first_s = sum(size for size, _ in walk.junk), walk.junk[0][1]
        where = f"in {len(walk.junk)} places between its MPEG frames are no audio, the first at {first_s:.1f} s"
        yield f"{total} bytes {where}"
    if walk.trailing_zeros > _HARMLESS_ZEROS and not walk.is_complete:
        yield f"its last {walk.trailing_zeros} bytes are zeros, where sound may be missing"


def _is_trailer(head: bytes) -> bool:
    return head.startswith(_TRAILERS) or is_text(head)
