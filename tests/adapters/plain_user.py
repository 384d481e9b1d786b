"""Being a user who owns nothing, for as long as one test takes: what a node without root can do is all that is left."""

import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.adapters.rootfs import PYTHON

SOME_USER = 54_321

_SYS_CAPSET = 126
_VERSION_3 = 0x20080522
_CAP_DAC_READ_SEARCH = 2
_PR_SET_DUMPABLE = 4

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def plain_user(rootfs: Path) -> Iterator[None]:
    """Be another user than root, if we are root; programs that are started meanwhile cannot become root again.

    This process itself keeps one right, to read any file: the modules that it imports late, of an interpreter that
    may lie in root's home. Programs are started with the interpreter of ``rootfs``, which every user can reach.
    """
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", f"{rootfs}{PYTHON}")
        patch.setenv("LD_LIBRARY_PATH", str(rootfs / "opt" / "python" / "lib"))
        os.setgroups([])
        os.setresgid(SOME_USER, SOME_USER, 0)
        os.setresuid(SOME_USER, SOME_USER, 0)
        _keep_reading()
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)
            os.setresgid(0, 0, 0)
            os.setgroups(groups)
            _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def _keep_reading() -> None:
    """Take one capability back into effect, capabilities(7); none is kept by a program that we start."""
    header = struct.pack("=Ii", _VERSION_3, 0)
    everything, reading = 0xFFFF_FFFF, 1 << _CAP_DAC_READ_SEARCH
    permitted = _permitted()
    low, high = permitted & everything, permitted >> 32
    data = struct.pack("=6I", reading & low, low, 0, 0, high, 0)
    assert _libc.syscall(_SYS_CAPSET, header, data) == 0
    assert _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0) == 0  # else /proc/self stays root's


def _permitted() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapPrm:"):
            return int(line.split()[1], 16)
    raise AssertionError
