"""What can go wrong between an owner and the node, sorted by who can act."""

from collections.abc import Mapping
from typing import Final

_START: Final = (
    "Start one with `lc-node run` (in a notebook: %lc_start), "
    "or set LC_NODE to the home of a running one."
)


class ApiError(Exception):
    """The node refused or failed a call; ``code`` is for programs, the message for people."""

    def __init__(self, code: str, message: str, fields: Mapping[str, str] | None = None) -> None:
        """Keep the stable code, a sentence that names the fix, and details by name."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = dict(fields or {})

    def _render_traceback_(self) -> list[str]:
        """Serve IPython, which shows these lines in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class Refused(ApiError):
    """A rule says no: the balance, a phase, a limit; the caller can change the request."""


class UnknownThing(ApiError):
    """The call names a job, blob or model that the node does not know."""


class BadCall(ApiError):
    """The call is malformed, or of another version: one of the two sides wants an upgrade."""


class NotAllowed(ApiError):
    """The token is not the node's."""


class Overloaded(ApiError):
    """The node answers as many calls as it can; try again."""


class NodeFailed(ApiError):
    """The node itself erred; its log says more."""


class NodeUnreachable(ApiError):
    """No node answers; the message says how to start one."""

    def __init__(self, why: str, remedy: str = _START) -> None:
        """Say what was tried, and the remedy."""
        super().__init__(
            "NodeUnreachable",
            f"{why} {remedy}",
        )


class NodeSilent(NodeUnreachable):
    """A node is there and says nothing, which a living one does not do."""

    def __init__(self, folder: str, process: int, seconds: float) -> None:
        """Name where it listens, its process (0 if that is not known), and for how long it was silent."""
        named = f"The node of {folder}" + (f" (process {process})" if process else "")
        super().__init__(
            f"{named} has been silent for {seconds:g} s: it was stopped, hangs, or its machine is overloaded.",
            f"Let it go on (`kill -CONT {process or 'PROCESS'}`), or end it and start it again.",
        )
        self.process = process


class CallTimedOut(ApiError):
    """The node works on the call, but longer than the caller wished to wait."""

    def __init__(self, method: str, seconds: float) -> None:
        """Name the call and the patience that ended."""
        super().__init__(
            "CallTimedOut",
            f"The node is still busy with {method!r} after {seconds:g} s; it may yet succeed.",
            {"method": method},
        )


class UnsafeFolder(ApiError):
    """The folder of the node's sockets belongs to someone else, or others may enter it."""

    def __init__(
        self,
        path: str,
        why: str,
        remedy: str = "remove it, or set XDG_RUNTIME_DIR to a folder of your own",
    ) -> None:
        """Name the folder, or the file in it, what is wrong with it, and what to do."""
        super().__init__(
            "UnsafeFolder",
            f"{path} {why}; {remedy}.",
            {"path": path},
        )


class UnusablePath(ApiError):
    """A file or folder that was named cannot be used."""

    def __init__(self, path: str, why: str) -> None:
        """Name it and the reason."""
        super().__init__(
            "UnusablePath",
            f"{path} cannot be used ({why}): name a place where you may read and write",
            {"path": path},
        )


class SocketPathTooLong(ApiError):
    """A Unix socket's path has at most 107 bytes."""

    def __init__(self, path: str, length: int) -> None:
        """Name the path and its length."""
        super().__init__(
            "SocketPathTooLong",
            f"{path} has {length} bytes, a socket's path at most 107; "
            "set XDG_RUNTIME_DIR to a shorter folder.",
            {"path": path},
        )


REMOTE_ERRORS = (Refused, UnknownThing, BadCall, NotAllowed, Overloaded, NodeFailed)
"""The errors that a node may send, by the name of their class."""
