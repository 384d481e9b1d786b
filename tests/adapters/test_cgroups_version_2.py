"""Control groups of version 2, on a machine that has no others: Linux as a program (user-mode-linux), booted for the test."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.test_bubblewrap_lifecycle import HARD

ROOT = Path(__file__).parents[2]
KERNEL = "linux.uml"
BOOT_SECONDS_MAX = 300
"""A machine in a program starts in a second, and works at about a third of the speed of the one below it."""

BOOT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs tmp /run
mkdir -p /dev/shm /run/tmp /run/rootfs
mount -t tmpfs shm /dev/shm
mount --bind {rootfs} /run/rootfs
cd {root}
env -i PATH=/usr/sbin:/usr/bin:/bin TMPDIR=/run/tmp PYTHONPATH={root} {python} -m tests.adapters.version_2_node /run/rootfs
echo o > /proc/sysrq-trigger
sleep 5
"""


@pytest.mark.slow
def test_version_2_holds_what_it_is_told_to(rootfs: Path, folder: Path) -> None:
    """It sees the host's files, read-only, and has processes, memory and control groups of its own."""
    if shutil.which(KERNEL) is None and os.geteuid() != 0:
        pytest.skip("needs the Debian package user-mode-linux")
    boot = folder / "boot"
    words = {"rootfs": rootfs, "root": ROOT, "python": sys.executable}
    boot.write_text(BOOT.format(**{key: shlex.quote(str(path)) for key, path in words.items()}))
    boot.chmod(0o755)
    console = subprocess.run(
        [
            *(KERNEL, "mem=1024M", "loglevel=1", f"init={boot}", "con=null", "con0=null,fd:1"),
            *("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOOT_SECONDS_MAX,
        check=False,
    ).stdout
    answer = re.search(r"^FOUND (\{.*\})\s*$", console, re.MULTILINE)

    assert answer, console
    found = json.loads(answer[1])
    assert found.pop("spin_cpu_ms") <= 3000 * 0.3 * 1.5
    assert found.pop("hog_peak_mib") <= 64
    assert found == {
        "tree": "TreeV2",
        "enforced": sorted(HARD),
        "hog": "out_of_memory",
        "stored": "out_of_memory",
        "bomb": "timed_out",
        "groups_left": [],
        "processes_left": 0,
    }
