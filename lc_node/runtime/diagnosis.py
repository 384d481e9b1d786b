"""What ``lc-node doctor`` looks at before a node is started."""

import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lc_node.adapters.chosen_sandbox import BUBBLEWRAP, ChosenSandbox
from lc_node.adapters.gpu_sandbox import GpuSandbox
from lc_node.adapters.nvidia_gpus import find_gpus
from lc_node.chain.errors import LearningChainError
from lc_node.ports.sandbox import Capabilities, Enforced, SandboxUnavailable
from lc_node.runtime.config import SandboxConfig
from lc_node.runtime.home import Home

_DISK_WANTED: Final = 5 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at."""

    name: str
    is_fine: bool
    text: str
    """What was found; where it is not fine, the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Everything that was looked at."""

    checks: tuple[Finding, ...]
    sandbox_problem: str
    """Empty where a sandbox works."""


async def diagnose(home: Home | None) -> Diagnosis:
    """Look at the sandbox; if a home is given, at each that could be one, and at what the home holds."""
    config = SandboxConfig() if home is None else _sandbox_config(home)
    with tempfile.TemporaryDirectory(prefix="lc-doctor-") as disks:
        owner = f"doctor-{secrets.token_hex(4)}"
        chosen = ChosenSandbox(config.wishes, owner, disks=Path(disks))
        sandbox = await _sandbox(chosen)
        engines = () if home is None else await _engines(chosen)
    checks = (sandbox,) if home is None else (sandbox, *engines, *_home(home))
    return Diagnosis(checks=checks, sandbox_problem="" if sandbox.is_fine else sandbox.text)


async def _sandbox(chosen: ChosenSandbox) -> Finding:
    try:
        found = await GpuSandbox(chosen, find_gpus).probe()
    except SandboxUnavailable as error:
        return Finding(name="sandbox", is_fine=False, text=str(error))
    return Finding(name="sandbox", is_fine=True, text=_enforces(found) + _gpus(found))


async def _engines(chosen: ChosenSandbox) -> tuple[Finding, ...]:
    """Say of each sandbox what it would do; one that does not work is no problem while another does."""
    return tuple(
        Finding(
            name=f"sandbox {tried.name}",
            is_fine=True,
            text=tried.problem if tried.capabilities is None else _enforces(tried.capabilities),
        )
        for tried in await chosen.try_all()
    )


def _enforces(found: Capabilities) -> str:
    enforced = ", ".join(sorted(str(one) for one in found.enforced))
    text = f"{found.engine} {found.version} enforces {enforced}"
    if Enforced.MEMORY_HARD not in found.enforced:
        text += (
            "; memory is bounded by looking often only: run as root, or let this user use docker"
        )
    if Enforced.OUT_ON_DISK not in found.enforced:
        text += "; large outputs lie in memory"
        if found.engine == BUBBLEWRAP:
            text += ": only root can mount disks for them (mke2fs, /dev/loop-control)"
    return text


def _sandbox_config(home: Home) -> SandboxConfig:
    """Return the owner's wishes; settings that cannot be read are a finding of their own."""
    try:
        return home.config().sandbox
    except LearningChainError:
        return SandboxConfig()


def _gpus(found: Capabilities) -> str:
    """Say how many GPUs there are for jobs; that there are none is no problem."""
    return f"; GPUs for jobs: {found.gpus or f'none ({found.gpu_problem})'}"


def _home(home: Home) -> tuple[Finding, ...]:
    return (
        _tried("key", lambda: _key(home)),
        _tried("settings", lambda: f"logs at level {home.config().log.level}"),
        _tried("genesis", lambda: f"graph {home.genesis().graph!r}"),
        _disk(home),
    )


def _key(home: Home) -> str:
    how = "encrypted" if home.is_encrypted() else "unencrypted"
    return f"{home.identity().address}, {how}"


def _tried(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, is_fine=True, text=look())
    except LearningChainError as error:
        return Finding(name=name, is_fine=False, text=str(error))


def _disk(home: Home) -> Finding:
    place = next(folder for folder in (home.path, *home.path.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    text = f"{free / 1024**3:.1f} GiB free at {place}"
    return Finding(name="disk", is_fine=free >= _DISK_WANTED, text=text)
