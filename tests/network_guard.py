"""A filter of system calls that kills a process at its first socket of the Internet, whoever opens it, C code too."""

from __future__ import annotations

import signal
import subprocess
import sys

# A program of Berkeley Packet Filter instructions: socket(AF_INET or AF_INET6, ...) kills, everything else is allowed.
GUARD = """
import ctypes, platform, struct
def guard():
    number, machine = {"x86_64": (41, 0xC000003E), "aarch64": (198, 0xC00000B7)}[platform.machine()]
    load, jump, end = 0x20, 0x15, 0x06
    program = (
        (load, 0, 0, 4), (jump, 0, 5, machine),
        (load, 0, 0, 0), (jump, 0, 3, number),
        (load, 0, 0, 16), (jump, 2, 0, 2), (jump, 1, 0, 10),
        (end, 0, 0, 0x7FFF0000), (end, 0, 0, 0x80000000),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
    libc = ctypes.CDLL(None, use_errno=True)
    long = ctypes.c_ulong
    assert libc.prctl(38, long(1), long(0), long(0), long(0)) == 0  # no new privileges
    filtered = Program(len(program), ctypes.addressof(code))
    assert libc.prctl(22, long(2), ctypes.byref(filtered)) == 0  # seccomp
guard()
"""


def guard_works() -> bool:
    """Whether this kernel kills a process that opens a socket below the guard."""
    opens = f"{GUARD}\nimport socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
    done = subprocess.run([sys.executable, "-c", opens], stderr=subprocess.DEVNULL)
    return done.returncode == -signal.SIGSYS
