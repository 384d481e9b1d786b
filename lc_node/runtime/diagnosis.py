"""What ``lc-node doctor`` looks at before a node is started."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.chain.errors import LearningChainError
from lc_node.ports.sandbox import Enforced, SandboxUnavailable
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
    """Look at the sandbox and, if a home is given, at what it holds."""
    sandbox = await _sandbox()
    checks = (sandbox,) if home is None else (sandbox, *_home(home))
    return Diagnosis(checks=checks, sandbox_problem="" if sandbox.is_fine else sandbox.text)


async def _sandbox() -> Finding:
    with tempfile.TemporaryDirectory(prefix="lc-doctor-") as disks:
        try:
            found = await BubblewrapSandbox("doctor", disks=Path(disks)).probe()
        except SandboxUnavailable as error:
            return Finding(name="sandbox", is_fine=False, text=str(error))
    enforced = ", ".join(sorted(str(one) for one in found.enforced))
    text = f"{found.engine} {found.version} enforces {enforced}"
    if Enforced.OUT_ON_DISK not in found.enforced:
        text += "; large outputs lie in memory: only root can mount disks for them (mke2fs, /dev/loop-control)"
    return Finding(name="sandbox", is_fine=True, text=text)


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
