"""A canary dies in a bad sandbox: each protection is taken away in turn, and the probe must miss it."""

import os
import struct
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lc_node.adapters import (
    bubblewrap_command,
    bubblewrap_life,
    bubblewrap_run,
    bubblewrap_sandbox,
    cgroups,
    process_tree,
)
from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.adapters.docker_sandbox import MEMORY_MS
from lc_node.adapters.sandbox_canary import Canary
from lc_node.chain.types import MillisSpan
from lc_node.ports.sandbox import Enforced, Limits, Run, RunRequest, SandboxUnavailable

Patch = pytest.MonkeyPatch
ALLOW_ALL = struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)


async def missed(owner: str, *, use_cgroups: bool = True) -> str:
    """Probe a sandbox and return what it is said not to enforce."""
    if use_cgroups and os.geteuid() != 0:
        pytest.skip("control groups need root")
    sandbox = BubblewrapSandbox(owner, use_cgroups=use_cgroups, probe_seconds_max=60)
    with pytest.raises(SandboxUnavailable, match="does not enforce") as found:
        await sandbox.probe()
    return (
        str(found.value)
        .removeprefix("the sandbox does not enforce ")
        .removesuffix(" on this machine")
    )


def words_changed(patch: Patch, change: Callable[[list[str]], Sequence[str]]) -> None:
    """Change what bubblewrap is told."""
    made = bubblewrap_command._bubblewrap_words
    patch.setattr(bubblewrap_command, "_bubblewrap_words", lambda request: change(made(request)))


def launcher_changed(patch: Patch, change: Callable[[list[str]], list[str]]) -> None:
    """Change what the launcher is told."""
    made = bubblewrap_command.launcher_words
    patch.setattr(
        bubblewrap_sandbox,
        "launcher_words",
        lambda *plan, **more: change(made(*plan, **more)),
    )


def without(words: list[str], *dropped: str) -> list[str]:
    at = next(at for at in range(len(words)) if words[at : at + len(dropped)] == list(dropped))
    return words[:at] + words[at + len(dropped) :]


def exchanged(words: list[str], old: Sequence[str], new: Sequence[str]) -> list[str]:
    at = next(at for at in range(len(words)) if words[at : at + len(old)] == list(old))
    return [*words[:at], *new, *words[at + len(old) :]]


@pytest.mark.parametrize("kind", ["ipc", "pid", "net", "uts", "cgroup"])
async def test_a_shared_namespace_is_missed(owner: str, monkeypatch: Patch, kind: str) -> None:
    words_changed(monkeypatch, lambda words: without(words, f"--unshare-{kind}"))
    if kind == "uts":  # the name of the host may not be set then
        taken = bubblewrap_command._isolation_words
        monkeypatch.setattr(
            bubblewrap_command, "_isolation_words", lambda: without(taken(), "--hostname", "job")
        )

    assert await missed(owner) == Enforced.NAMESPACES


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["--cap-drop", "ALL"], ["--cap-add", "CAP_SYS_ADMIN"]),
        (["--uid", "65534"], ["--uid", "0"]),
        (["--gid", "65534"], ["--gid", "0"]),
    ],
)
async def test_rights_that_are_left_are_missed(
    owner: str, monkeypatch: Patch, old: list[str], new: list[str]
) -> None:
    words_changed(monkeypatch, lambda words: exchanged(words, old, new))

    assert Enforced.NAMESPACES in await missed(owner)


async def test_a_filter_that_is_not_there_is_missed(owner: str, monkeypatch: Patch) -> None:
    words_changed(monkeypatch, lambda words: without(words, "--seccomp", "4"))

    assert await missed(owner) == f"{Enforced.NAMESPACES}, {Enforced.SECCOMP}"


async def test_a_filter_that_allows_all_is_missed(owner: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(bubblewrap_sandbox, "bpf_program", lambda _: ALLOW_ALL)

    assert await missed(owner) == Enforced.SECCOMP


@pytest.mark.parametrize(
    ("volume", "size"),
    [("out", str(1 << 20)), ("scratch", str(4 << 20))],
)
async def test_a_folder_without_a_size_is_missed(
    owner: str, monkeypatch: Patch, volume: str, size: str
) -> None:
    launcher_changed(
        monkeypatch,
        lambda words: exchanged(words, ["volume", volume, size], ["volume", volume, "1g"]),
    )

    assert await missed(owner) == Enforced.DISK


async def test_files_of_any_size_are_missed(owner: str, monkeypatch: Patch) -> None:
    monkeypatch.setattr(bubblewrap_command, "file_bytes_max", lambda _: 1 << 40)

    assert Enforced.DISK in await missed(owner)


async def test_a_writable_device_folder_is_missed(owner: str, monkeypatch: Patch) -> None:
    words_changed(monkeypatch, lambda words: without(words, "--remount-ro", "/dev"))

    assert await missed(owner) == Enforced.DISK


async def test_a_writable_root_is_missed(owner: str, monkeypatch: Patch) -> None:
    made = Canary._request

    def opened(canary: Canary, limits: Limits, *words: str) -> Any:
        canary._rootfs.chmod(0o777)
        return made(canary, limits, *words)

    monkeypatch.setattr(Canary, "_request", opened)
    stage = "/tmp/rootfs"  # noqa: S108 - of the launcher's own mounts
    words_changed(
        monkeypatch, lambda words: exchanged(words, ["--ro-bind", stage], ["--bind", stage])
    )

    assert await missed(owner) == Enforced.DISK


@pytest.mark.parametrize(
    ("volume", "inodes"), [("out", "64"), ("scratch", "64"), ("shared", "4096")]
)
async def test_a_folder_for_any_number_of_files_is_missed(
    owner: str, monkeypatch: Patch, volume: str, inodes: str
) -> None:
    def changed(words: list[str]) -> list[str]:
        at = words.index(volume)
        assert words[at + 2] == inodes
        return [*words[: at + 2], "0", *words[at + 3 :]]

    launcher_changed(monkeypatch, changed)

    assert await missed(owner) == Enforced.INODES


async def test_a_control_group_without_a_limit_on_memory_is_missed(
    owner: str, monkeypatch: Patch
) -> None:
    skip_writing(monkeypatch, "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max")

    assert await missed(owner) == Enforced.MEMORY_HARD


async def test_a_control_group_without_a_limit_on_processes_is_missed(
    owner: str, monkeypatch: Patch
) -> None:
    skip_writing(monkeypatch, "pids.max")

    assert await missed(owner) == Enforced.PIDS


async def test_a_control_group_without_a_quota_is_said_not_to_bound_the_processors(
    owner: str, monkeypatch: Patch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("control groups need root")
    skip_writing(monkeypatch, "cpu.cfs_quota_us", "cpu.max")

    capabilities = await BubblewrapSandbox(owner).probe()

    assert Enforced.CPU not in capabilities.enforced


async def test_a_watch_on_memory_that_sees_nothing_is_missed(
    owner: str, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(process_tree, "_proportional", lambda _: 0)

    assert await missed(owner, use_cgroups=False) == Enforced.MEMORY_SOFT


async def test_processes_that_are_not_counted_are_missed(owner: str, monkeypatch: Patch) -> None:
    made = bubblewrap_command._resource_limits
    monkeypatch.setattr(
        bubblewrap_command,
        "_resource_limits",
        lambda request, **_: made(request, hard=True),
    )

    assert Enforced.PIDS in await missed(owner, use_cgroups=False)


async def test_a_run_that_nobody_ends_is_missed(owner: str, monkeypatch: Patch) -> None:
    made = bubblewrap_life.Life
    monkeypatch.setattr(
        bubblewrap_run,
        "Life",
        lambda spawned, **times: made(spawned, **{**times, "wall_seconds": 3600}),
    )

    # What ends it then is the processor time of a single process, as the exit code of a job.
    assert await missed(owner, use_cgroups=False) == Enforced.WALL_TIME


async def test_a_canary_that_cannot_start_is_no_sandbox(owner: str, monkeypatch: Patch) -> None:
    words_changed(monkeypatch, lambda words: ["--no-such-word", *words])

    with pytest.raises(SandboxUnavailable, match="bubblewrap cannot run"):
        await BubblewrapSandbox(owner).probe()


def skip_writing(patch: Patch, *names: str) -> None:
    """Leave some files of control groups as they are."""
    made = cgroups._write

    def write(path: Path, value: object) -> None:
        if path.name not in names:
            made(path, value)

    patch.setattr(cgroups, "_write", write)


@pytest.mark.parametrize("deed", ["i", "w"])
async def test_a_deed_that_had_no_time_on_a_busy_machine_is_tried_again(
    owner: str, deed: str
) -> None:
    sandbox = BubblewrapSandbox(owner, probe_seconds_max=60)
    await sandbox.probe()
    hurried = list[str]()

    def hurry(request: RunRequest) -> AbstractAsyncContextManager[Run]:
        """Take the time away that the first run of a deed has."""
        words = " ".join(request.argv[1:])
        if request.argv[1] != deed or words in hurried:
            return sandbox.open(request)
        hurried.append(words)
        return sandbox.open(replace(request, limits=replace(request.limits, wall=MillisSpan(1))))

    held = await Canary(hurry, has_cgroups=os.geteuid() == 0, memory_ms=MEMORY_MS).enforced()

    assert {Enforced.INODES, Enforced.PIDS, Enforced.SECCOMP, Enforced.DISK} <= held
    assert hurried
