"""A node of one's own, started from a notebook as a process that outlives it, and stopped again."""

import importlib.util
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from lc_jupyter.errors import UserError
from lc_jupyter.settings import current
from lc_node.api.client import ApiError, Client, NodeUnreachable
from lc_node.api.paths import naming_files

START_SECONDS: Final = 150.0
STOP_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.1
_TAIL_BYTES: Final = 2_000
_TAIL_LINES: Final = 12
_ERROR: Final = "Error: "
_RECORD: Final = "notebook-node.json"
_NODE_MODULES: Final = ("aiohttp", "click", "docker", "ifaddr", "optuna", "rich", "zeroconf")
"""What the extra ``node`` installs; without it no node runs in this environment."""

_children: Final[list["subprocess.Popen[bytes]"]] = []
"""Started from this kernel; looked at from time to time, so that one that has ended leaves nothing behind."""


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A process that was started here, kept in the node's home so that another kernel can stop it."""

    process: int
    began: str
    """When, as the system counts it: another process may get the number later."""
    again: str = "%lc_start"
    """What starts it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be started, and how one knows that it is there."""

    arguments: Sequence[str]
    """Of ``lc-node``."""
    home: Path
    """Of the node that the notebook will speak with."""
    folder: Path
    """Where the log lies."""
    is_ready: str
    """The beginning of the line that says so."""
    again: str
    """What starts it in a notebook."""

    @property
    def log(self) -> Path:
        """What the process says."""
        return self.folder / "node.log"


def plan_node(home: Path, way: Sequence[str]) -> Plan:
    """Return how a node is started; ``way`` says which graph one without any comes to."""
    arguments = ("--home", str(home), "run", *way)
    again = f"%lc_start --home {shlex.quote(str(home))}"
    return Plan(arguments=arguments, home=home, folder=home, is_ready="ready", again=again)


def plan_devnet(beside: Path) -> Plan:
    """Return how seven nodes are started that train, evaluate and lie for each other; their homes lie beside one."""
    folder = beside.parent / f"{beside.name}-devnet"
    return Plan(
        arguments=("devnet", "--folder", str(folder)),
        home=folder / "submitter",
        folder=folder,
        is_ready="Seven nodes run",
        again=f"%lc_start --devnet --home {shlex.quote(str(beside))}",
    )


def start(plan: Plan, tell: Callable[[str], None]) -> int:
    """Start a process of its own, and return its number when it is ready.

    Raises:
        UserError: one runs already, or it cannot start; the end of its log says why.
        UnusablePath: its folder cannot be made or written.
    """
    _validate_free(plan.home)
    _validate_installed()
    with _opened_log(plan) as log:
        beginning = log.tell()
        # -P: nothing in the folder that the kernel works in may stand in for a module of the node.
        process = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-P", "-m", "lc_node", *plan.arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=plan.folder,
            start_new_session=True,
        )
    _children.append(process)
    tell(f"Starting process {process.pid}; its log is {plan.log} …")
    try:
        _wait_ready(plan, process, beginning)
    finally:
        _keep(plan, process.pid)
    return process.pid


def stop(home: Path) -> Started:
    """Stop the process that was started for a home, and return which it was when it has ended.

    Raises:
        UserError: there is none, or it was not started from a notebook.
    """
    started = _kept(home)
    if started is None or _began(started.process) != started.began:
        raise UserError(_not_ours(home))
    with suppress(ProcessLookupError):
        os.kill(started.process, signal.SIGTERM)
        os.kill(started.process, signal.SIGCONT)  # one that was stopped hears nothing
    end = time.monotonic() + STOP_SECONDS
    while _began(started.process) == started.began:
        if time.monotonic() > end:
            message = (
                f"Process {started.process} has not ended after {STOP_SECONDS:g} s; it may still do so. "
                f"`kill -9 {started.process}` ends it at once, and loses nothing that it has promised."
            )
            raise UserError(message)
        time.sleep(_POLL_SECONDS)
    (home / _RECORD).unlink(missing_ok=True)
    return started


def _validate_free(home: Path) -> None:
    try:
        with Client(home, silence_seconds=current().silence_seconds) as client:
            client.hello()
    except NodeUnreachable as error:
        if getattr(error, "process", None) is None:
            return
        raise UserError(str(error)) from None
    except ApiError as error:
        raise UserError(str(error)) from None
    message = f"A node runs already with home {home}; %lc_status shows it, %lc_stop stops it."
    raise UserError(message)


def _validate_installed() -> None:
    missing = [name for name in _NODE_MODULES if importlib.util.find_spec(name) is None]
    if missing:
        message = (
            f"This environment has a notebook's side only ({', '.join(missing)} missing): "
            "pip install 'learningchain[node]' here, or run `lc-node run` in another one."
        )
        raise UserError(message)


def _opened_log(plan: Plan) -> BinaryIO:
    with naming_files():
        plan.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return plan.log.open("ab")


def _wait_ready(plan: Plan, process: "subprocess.Popen[bytes]", beginning: int) -> None:
    end = time.monotonic() + START_SECONDS
    try:
        while not any(line.startswith(plan.is_ready) for line in _said(plan.log, beginning)):
            if process.poll() is not None:
                raise UserError(_not_started(plan, _said(plan.log, beginning)))
            if time.monotonic() > end:
                message = (
                    f"Process {process.pid} is not ready after {START_SECONDS:g} s, and goes on starting; "
                    f"{plan.log} says what it does, %lc_status when it is there, %lc_stop stops it."
                )
                raise UserError(message)
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        message = f"No longer waiting; process {process.pid} goes on starting. %lc_stop stops it."
        raise UserError(message) from None


def _not_started(plan: Plan, said: Sequence[str]) -> str:
    """Return why a process has ended: its own one line where it ends with that, else the end of its log."""
    last = said[-1] if said else ""
    if last.startswith(_ERROR):
        return f"The node could not start: {last.removeprefix(_ERROR).rstrip('.')}. Its log: {plan.log}"
    tail = "\n".join(said[-_TAIL_LINES:])
    return f"The node could not start; the end of {plan.log}:\n{tail}"


def _said(log: Path, beginning: int) -> list[str]:
    """Return the last lines that a process has written since it began."""
    size = log.stat().st_size
    with log.open("rb") as file:
        file.seek(max(beginning, size - _TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()


def _keep(plan: Plan, process: int) -> None:
    """Note who runs, if it still does."""
    began = _began(process)
    if began and plan.home.is_dir():
        record = Started(process=process, began=began, again=plan.again)
        (plan.home / _RECORD).write_bytes(msgspec.json.encode(record))


def _kept(home: Path) -> Started | None:
    try:
        return msgspec.json.decode((home / _RECORD).read_bytes(), type=Started)
    except (OSError, msgspec.DecodeError):
        return None


def _not_ours(home: Path) -> str:
    try:
        with Client(home, silence_seconds=current().silence_seconds) as client:
            client.hello()
    except ApiError as error:
        return f"No node was started from a notebook with home {home}. ({error})"
    return (
        f"The node with home {home} was not started by %lc_start: stop it where it was started "
        "(Ctrl-C in its terminal, or its service)."
    )


def _began(process: int) -> str:
    """Return when a process began, empty if it has ended: field 22 of /proc/PID/stat, proc(5)."""
    for child in _children[:]:
        if child.poll() is not None:
            _children.remove(child)
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = text.rpartition(")")[2].split()
    return "" if state in {"Z", "X"} else fields[18]
