"""The first process of a job's container: starts the job, outlives it, and says how it ended.

An engine keeps a container's memory-backed folders only while something runs in it. So the job is not the container's
first process but a child of ours, which stays after the job's end until the container is removed: what the job left
can still be taken. It costs no second container, and it is told apart from the job by a secret:

1. It makes itself unreadable to the job (``PR_SET_DUMPABLE``), and reads 16 bytes, the secret, from stdin.
2. It starts the job, with the environment and the words that follow its own.
3. When the job's first process ends, it kills every other process, waits for all, and writes the secret and the job's
   wait status to stdout and to stderr. No process of the job is left then to write anything after it.
4. If stdin ends, because the node has died, so does the container.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Final

from lc_node.adapters.elf_program import elf_program

PLACE: Final = "lc/init"
SECRET_BYTES: Final = 16
REPORT_BYTES: Final = SECRET_BYTES + 4
PROCESSES: Final = 2
"""How many it takes of the job's number: itself, and a thread that watches stdin."""

_PATH: Final = "/usr/local/bin:/usr/bin:/bin"

_CODE: Final = bytes.fromhex(
    "488d5c2410bf0400000031f6b89d0000000f05"  # words from argv[1] on; prctl(PR_SET_DUMPABLE, 0)
    "4883ec204889e5"  # room for secret, status, and a struct pollfd
    "4531e431ff4a8d742500ba100000004429e231c00f0585c00f8e450100004101c44183fc1072dc"  # read it all
    "488b034883c308803862751031ff31f6ba0a000000b88d0000000f05"  # "b": setpriority to be nice
    "4989dde8240100004989dee81c0100004989df"  # environment, programs to try, the job's words
    "bf000f0100488db42400f0ffff31d24531d24531c0b8380000000f05"  # clone a thread
    "85c00f88e90000007461"  # it goes to watch
    "b8390000000f0585c00f88d800000074704189c4"  # fork; the child goes to start
    "e8ec0000004439e0740485c079f2"  # wait until the job's first process has ended
    "448b6510bfffffffffbe09000000b83e0000000f05e8c900000085c079e6"  # kill and wait while any is left
    "44896510bf01000000e8cd000000bf02000000e8c3000000"  # tell on stdout and stderr
    "b8220000000f05ebf7"  # pause for ever
    "4883651800488d7d18be01000000baffffffffb8070000000f0585c07ee2"  # watch: poll stdin for its end
    "eb66"  # die then
    "498b3e4885ff74134983c6084c89fe4c89eab83b0000000f05ebe5"  # start: execve one program after the other
    "498b3731d2803c16007404ffc2ebf6"  # there was none: how long is its name
    "e818000000488d351e000000ba12000000e807000000bf7f000000eb24"  # say so, leave with 127
    "bf02000000b8010000000f05c3"  # say: write to stderr
    "3a206e6f20737563682070726f6772616d0a"  # ": no such program\n"
    "bf7d000000"  # die: with 125
    "b8e70000000f05"  # leave: exit_group
    "488b034883c30880380075f4488363f800c3"  # cut: end a list at its empty word, go behind it
    "bfffffffff488d751031d24531d2b83d0000000f05c3"  # wait4(-1, &status, 0, NULL)
    "4889eeba14000000b8010000000f05c3"  # tell: write secret and status
)


def init_program() -> bytes:
    """Return the program."""
    return elf_program(_CODE)


def init_words(
    argv: Sequence[str], environment: Mapping[str, str], *, is_background: bool
) -> list[str]:
    """Return the words with which it starts a job."""
    return [
        "b" if is_background else "f",
        *(f"{name}={environment[name]}" for name in sorted(environment)),
        "",
        *_programs(argv[0], environment.get("PATH", _PATH)),
        "",
        *argv,
    ]


def job_exit_code(report: bytes) -> int:
    """Return the job's exit code, as shells count, from what comes after the secret."""
    status = int.from_bytes(report, "little")
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _programs(name: str, path: str) -> list[str]:
    """Return the files that a name may mean, as execvp(3) looks for them."""
    if "/" in name:
        return [name]
    return [f"{folder or '.'}/{name}" for folder in path.split(":")]
