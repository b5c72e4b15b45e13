"""How much work a PyTorch file asks for, before torch begins with it: that takes 0.1 ms per tensor, without a limit."""

from __future__ import annotations

import pickletools
import struct
import zipfile
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from cedtag.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

# The deepest CED that a config may describe has 780 tensors, and three times that with the state of an optimiser. A
# tensor takes two calls and about forty instructions of the pickle.
_MAX_RECORDS = 8192
_MAX_CALLS = 2 * _MAX_RECORDS
_MAX_INSTRUCTIONS = 300_000
_MAX_PICKLE_BYTES = 20_000_000
_ZIP_MAGIC = b"PK\x03\x04"
_PICKLES_BEFORE_THE_OBJECT = 3  # in the old format: a magic number, a version, facts about the machine

# What pickletools and zipfile raise for files that are damaged or something else; RuntimeError is for encrypted ones.
_UNREADABLE = (
    zipfile.BadZipFile,
    struct.error,
    EOFError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def check_pickle(path: Path) -> None:
    """Refuse a file with more records or instructions than a CED and its training need, and one with packed records.

    What cannot be read is left to torch, which says so.
    """
    with suppress(*_UNREADABLE), path.open("rb") as file:
        if file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC:
            _check_zip(file, path)
        else:
            file.seek(0)
            for _ in range(_PICKLES_BEFORE_THE_OBJECT + 1):
                _check_instructions(file, path)


def _check_zip(file: IO[bytes], path: Path) -> None:
    if (records := _num_records(file)) > _MAX_RECORDS:
        raise ModelError(f"{path}: holds {records} records, too many for a CED; give a CED checkpoint")
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ModelError(f"{path}: holds packed records, unlike a file of torch.save; give a CED checkpoint")
        for entry in entries:
            if entry.filename.endswith("data.pkl"):
                if entry.file_size > _MAX_PICKLE_BYTES:
                    raise _too_much(path)
                with archive.open(entry) as content:
                    _check_instructions(content, path)


def _num_records(file: IO[bytes]) -> int:
    """The number of records by the end of the archive, without reading its directory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))  # the end with its longest comment
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0:
        return 0
    (records,) = struct.unpack_from("<H", tail, end + 10)
    if records < 0xFFFF:
        return int(records)
    large = tail.rfind(b"PK\x06\x06")  # the same for archives of more records
    return int(struct.unpack_from("<Q", tail, large + 32)[0]) if large >= 0 else records


def _check_instructions(file: IO[bytes], path: Path) -> None:
    calls = 0
    for number, (instruction, _, _) in enumerate(pickletools.genops(file)):
        calls += instruction.name == "REDUCE"
        if number > _MAX_INSTRUCTIONS or calls > _MAX_CALLS:
            raise _too_much(path)


def _too_much(path: Path) -> ModelError:
    return ModelError(f"{path}: describes too many tensors or other objects for a CED; give a CED checkpoint")
