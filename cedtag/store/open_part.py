"""The unfinished part of a store: windows as they come, and the outcomes that commit them.

`open.NAME.rows` holds windows as bytes of a fixed number, `open.NAME.frames` the scores of columns of tokens in a store
that keeps them, and `open.NAME.log` a line for each recording that is done, with the CRC-32 of both. What stands after
the last whole line was torn by a kill, and is cut off.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias
from zlib import crc32

import numpy as np

from cedtag.errors import OutputError
from cedtag.store.frames import ENTRY
from cedtag.store.schema import block_type, record_type
from cedtag.system.atomic import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from cedtag.store.facts import StoreFacts
    from cedtag.store.frames import Entries

    Records: TypeAlias = "NDArray[np.void]"

_PREFIX, _ROWS, _FRAMES, _LOG = "open.", ".rows", ".frames", ".log"
_CRC = {"rows": "crc", "entries": "crc_of_entries"}
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
_SUFFIXES = (_ROWS, _FRAMES, _LOG)
_FLUSH_BYTES = 1 << 18


def has_open_part(store: Path) -> bool:
    """Whether there is a part that its run has not finished."""
    return any(open_parts(store))


def open_parts(store: Path) -> list[str]:
    """The names of the unfinished parts."""
    names = (path.name.removeprefix(_PREFIX) for suffix in _SUFFIXES for path in store.glob(f"{_PREFIX}*{suffix}"))
    return sorted({name.rpartition(".")[0] for name in names})


def num_open_recordings(store: Path) -> int:
    """The number of recordings whose outcomes the unfinished parts hold."""
    number = 0
    for name in open_parts(store):
        with suppress(FileNotFoundError):  # its run makes a part of it right now, or was killed while it did
            number += (store / f"{_PREFIX}{name}{_LOG}").read_bytes().count(b"\n")
    return number


class OpenPart:
    """The part that a run is writing; what an earlier run has committed to it is there again.

    `lines` are those of the log. Rows and entries are written, then the line of their recording, and all are on the
    disk once `sync` was called.
    """

    def __init__(self, store: Path, name: str, facts: StoreFacts) -> None:
        self.name = name
        self.lines: list[bytes] = []
        self._facts = facts
        self._rows = _Pieces(store / f"{_PREFIX}{name}{_ROWS}", record_type(facts))
        self._pieces = {"rows": self._rows}
        if facts.frames is not None:
            self._pieces["entries"] = _Pieces(store / f"{_PREFIX}{name}{_FRAMES}", ENTRY)
        self._log_path = store / f"{_PREFIX}{name}{_LOG}"
        with writing(self._log_path):
            self._log = os.open(self._log_path, _FLAGS, 0o666)
        self._log_end = self._recover()
        self._cut()

    def add(self, record: Records, entries: Entries | None = None) -> None:
        """Take the record of a window `()` and the entries of its frames; they count when its recording does."""
        self._rows.add(record.tobytes(), 1)
        if entries is not None:
            self._pieces["entries"].add(entries.astype("<u2").tobytes(), len(entries))

    def commit(self, row: dict[str, Any]) -> None:
        """Let the windows count that were added, with the outcome of their recording."""
        line: dict[str, Any] = {"recording": row}
        for name, pieces in self._pieces.items():
            line |= {name: pieces.committed(), _CRC[name]: pieces.crc}
            pieces.crc = 0
        body = json.dumps(line, separators=(",", ":")).encode()
        data = b"%08x %b\n" % (crc32(body), body)
        with writing(self._log_path):
            _write(self._log, data)
        self._log_end += len(data)
        self.lines.append(body)

    def drop(self) -> None:
        """Take back the windows that were added since the last outcome."""
        self._cut()

    def rows(self) -> Iterator[dict[str, Any]]:
        """The outcomes that are committed, as the values of their columns."""
        for line in self.lines:
            yield json.loads(line)["recording"]

    @property
    def num_rows(self) -> int:
        """The number of windows that are committed."""
        return self._rows.number

    @property
    def pending(self) -> int:
        """The number of windows that were added since the last outcome."""
        return self._rows.pending

    def sync(self) -> None:
        """Put what is committed on the disk: the rows before the lines that commit them."""
        files = [(pieces.path, pieces.descriptor) for pieces in self._pieces.values()]
        for path, descriptor in [*files, (self._log_path, self._log)]:
            with writing(path):
                os.fsync(descriptor)
                if not os.path.lexists(path):
                    raise OutputError(f"{path}: was removed by another program during the run; run the command again")

    def records(self, rows_per_block: int) -> Iterator[Records]:
        """The committed windows, in blocks of `block_type`."""
        if not self.num_rows:
            return
        rows, at = self._rows.mapped(), 0
        for start in range(0, self.num_rows, rows_per_block):
            block = rows[start : start + rows_per_block]
            if "entries" in self._pieces:
                entries: Any = self._pieces["entries"].mapped()[at:]
                block = _with_frames(block, entries, self._facts)
                at += int(block["entries"].sum())
            yield block

    def close(self) -> None:
        """Let go; what is committed stays for the next run."""
        for pieces in self._pieces.values():
            pieces.close()
        if self._log >= 0:
            os.close(self._log)
        self._log = -1

    def remove(self) -> None:
        """Remove the files: a part holds what they held. The log goes first, as it makes them a part."""
        self.close()
        for path in (self._log_path, *(pieces.path for pieces in self._pieces.values())):
            with suppress(FileNotFoundError):
                path.unlink()

    def _recover(self) -> int:
        """Take in the lines that are whole and whose pieces are there; where the last one ends."""
        end = 0
        with open(self._log, "rb", closefd=False) as lines:
            for line in lines:
                found = _parsed(line)
                if found is None or not all(
                    pieces.holds(found[name], found[_CRC[name]]) for name, pieces in self._pieces.items()
                ):
                    break
                self.lines.append(line.partition(b" ")[2])
                for name, pieces in self._pieces.items():
                    pieces.number = found[name]
                end += len(line)
        return end

    def _cut(self) -> None:
        """Cut off what is not committed."""
        for pieces in self._pieces.values():
            pieces.cut()
        _cut(self._log_path, self._log, self._log_end)


class _Pieces:
    """A file of pieces of one length, of which `number` are committed and `pending` follow, with this `crc`."""

    def __init__(self, path: Path, kind: np.dtype[Any]) -> None:
        self.path = path
        self.number = self.pending = self.crc = 0
        self._kind, self._buffer = kind, bytearray()
        with writing(path):
            self.descriptor = os.open(path, _FLAGS, 0o666)

    def add(self, data: bytes, number: int) -> None:
        """Take so many pieces more."""
        self.crc = crc32(data, self.crc)
        self._buffer += data
        self.pending += number
        if len(self._buffer) >= _FLUSH_BYTES:
            self._flush()

    def committed(self) -> int:
        """The number of pieces, all written, of which none is pending any more."""
        self._flush()
        self.number += self.pending
        self.pending = 0
        return self.number

    def holds(self, stop: int, crc: int) -> bool:
        """Whether the pieces from the last committed one to `stop` are there, with this CRC-32."""
        at, end, found = self.number * self._kind.itemsize, stop * self._kind.itemsize, 0
        if end > os.fstat(self.descriptor).st_size:
            return False
        while at < end and (piece := os.pread(self.descriptor, min(1 << 20, end - at), at)):
            found = crc32(piece, found)
            at += len(piece)
        return found == crc

    def mapped(self) -> Records:
        """The pieces that are committed."""
        kind = self._kind.base
        shape = (self.number, *self._kind.shape)
        return np.memmap(self.path, kind, "r", shape=shape) if self.number else np.zeros(shape, kind)

    def cut(self) -> None:
        """Cut off what is pending."""
        self._buffer.clear()
        self.pending = self.crc = 0
        _cut(self.path, self.descriptor, self.number * self._kind.itemsize)

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1

    def _flush(self) -> None:
        with writing(self.path):
            _write(self.descriptor, self._buffer)
        self._buffer.clear()


def _with_frames(rows: Records, entries: Entries, facts: StoreFacts) -> Records:
    """The records with the entries of their frames, which lie one after the other."""
    block = np.zeros(len(rows), block_type(facts))
    for name in rows.dtype.names or ():
        block[name] = rows[name]
    ends = np.cumsum(rows["entries"], dtype=np.int64)
    for record, start, stop in zip(block, ends - rows["entries"], ends, strict=True):
        record["frames"] = entries[start:stop]
    return block


def _cut(path: Path, descriptor: int, end: int) -> None:
    with writing(path):
        os.ftruncate(descriptor, end)
        os.lseek(descriptor, end, os.SEEK_SET)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """What a whole line holds; None for a torn or damaged one."""
    seal, _, body = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or seal != b"%08x" % crc32(body):
        return None
    found = json.loads(body)
    return found if isinstance(found, dict) else None


def _write(descriptor: int, data: bytes | bytearray) -> None:
    rest = memoryview(data)
    while rest:  # a short write has no error; the next one does
        rest = rest[os.write(descriptor, rest) :]
