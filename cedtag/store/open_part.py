"""The unfinished part of a store: windows as they come, and the outcomes that commit them.

`open.NAME.rows` holds windows as bytes of a fixed number, and `open.NAME.log` a line for each recording that is done,
with the CRC-32 of its rows. What stands after the last whole line was torn by a kill, and is cut off.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias
from zlib import crc32

import numpy as np

from cedtag.errors import OutputError
from cedtag.system.atomic import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Records: TypeAlias = "NDArray[np.void]"

_PREFIX, _ROWS, _LOG = "open.", ".rows", ".log"
_FLUSH_BYTES = 1 << 18


def has_open_part(store: Path) -> bool:
    """Whether there is a part that its run has not finished."""
    return any(open_parts(store))


def open_parts(store: Path) -> list[str]:
    """The names of the unfinished parts."""
    names = (path.name.removeprefix(_PREFIX) for suffix in (_ROWS, _LOG) for path in store.glob(f"{_PREFIX}*{suffix}"))
    return sorted({name.removesuffix(_ROWS).removesuffix(_LOG) for name in names})


def num_open_recordings(store: Path) -> int:
    """The number of recordings whose outcomes the unfinished parts hold."""
    return sum((store / f"{_PREFIX}{name}{_LOG}").read_bytes().count(b"\n") for name in open_parts(store))


class OpenPart:
    """The part that a run is writing; what an earlier run has committed to it is there again.

    `lines` are those of the log. Rows are written, then the line of their recording, and both are on the disk once
    `sync` was called.
    """

    def __init__(self, store: Path, name: str, kind: np.dtype[np.void]) -> None:
        self.name = name
        self.lines: list[bytes] = []
        self.num_rows = 0  # that are committed
        self._kind = kind
        self._paths = store / f"{_PREFIX}{name}{_ROWS}", store / f"{_PREFIX}{name}{_LOG}"
        self._buffer, self._pending, self._crc = bytearray(), 0, 0
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        with writing(self._paths[0]):
            self._rows = os.open(self._paths[0], flags, 0o666)
        with writing(self._paths[1]):
            self._log = os.open(self._paths[1], flags, 0o666)
        self._log_end = self._recover()
        self._cut()

    def add(self, record: Records) -> None:
        """Take the record of a window `()`, which counts when its recording does."""
        data = record.tobytes()
        self._crc = crc32(data, self._crc)
        self._buffer += data
        self._pending += 1
        if len(self._buffer) >= _FLUSH_BYTES:
            self._flush()

    def commit(self, row: dict[str, Any]) -> None:
        """Let the windows count that were added, with the outcome of their recording."""
        self._flush()
        self.num_rows += self._pending
        line = {"recording": row, "rows": self.num_rows, "crc": self._crc}
        body = json.dumps(line, separators=(",", ":")).encode()
        data = b"%08x %b\n" % (crc32(body), body)
        with writing(self._paths[1]):
            _write(self._log, data)
        self._log_end += len(data)
        self.lines.append(body)
        self._pending = self._crc = 0

    def drop(self) -> None:
        """Take back the windows that were added since the last outcome."""
        self._buffer.clear()
        self._pending = self._crc = 0
        self._cut()

    def rows(self) -> Iterator[dict[str, Any]]:
        """The outcomes that are committed, as the values of their columns."""
        for line in self.lines:
            yield json.loads(line)["recording"]

    @property
    def pending(self) -> int:
        """The number of windows that were added since the last outcome."""
        return self._pending

    def sync(self) -> None:
        """Put what is committed on the disk: the rows before the lines that commit them."""
        for path, descriptor in zip(self._paths, (self._rows, self._log), strict=True):
            with writing(path):
                os.fsync(descriptor)
                if not os.path.lexists(path):
                    raise OutputError(f"{path}: was removed by another program during the run; run the command again")

    def records(self, rows_per_block: int) -> Iterator[Records]:
        """The committed windows, in blocks."""
        if not self.num_rows:
            return
        rows = np.memmap(self._paths[0], self._kind, "r", shape=(self.num_rows,))
        for start in range(0, self.num_rows, rows_per_block):
            yield rows[start : start + rows_per_block]

    def close(self) -> None:
        """Let go; what is committed stays for the next run."""
        for descriptor in (self._rows, self._log):
            if descriptor >= 0:
                os.close(descriptor)
        self._rows = self._log = -1

    def remove(self) -> None:
        """Remove the files: a part holds what they held. The log goes first, as it makes them a part."""
        self.close()
        for path in reversed(self._paths):
            with suppress(FileNotFoundError):
                path.unlink()

    def _flush(self) -> None:
        with writing(self._paths[0]):
            _write(self._rows, self._buffer)
        self._buffer.clear()

    def _recover(self) -> int:
        """Take in the lines that are whole and whose rows are there; where the last one ends."""
        end, size = 0, os.fstat(self._rows).st_size // self._kind.itemsize
        with open(self._log, "rb", closefd=False) as lines:
            for line in lines:
                found = _parsed(line)
                if found is None or found["rows"] > size or self._crc_of_rows(found["rows"]) != found["crc"]:
                    break
                self.lines.append(line.partition(b" ")[2])
                self.num_rows = found["rows"]
                end += len(line)
        return end

    def _crc_of_rows(self, stop: int) -> int:
        """The CRC-32 of the rows from the last committed one to `stop`."""
        at, end, crc = self.num_rows * self._kind.itemsize, stop * self._kind.itemsize, 0
        while at < end and (piece := os.pread(self._rows, min(1 << 20, end - at), at)):
            crc = crc32(piece, crc)
            at += len(piece)
        return crc

    def _cut(self) -> None:
        """Cut off what is not committed."""
        ends = self.num_rows * self._kind.itemsize, self._log_end
        for path, descriptor, end in zip(self._paths, (self._rows, self._log), ends, strict=True):
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
