"""Files and folders as people name them, and what the machine says of them as errors of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lc_node.api.errors import UnusablePath

_TAKEN: Final = "something else is there already"


def expand(path: str | Path) -> Path:
    """Return a path in which a ``~`` at the beginning has become a home folder.

    Raises:
        UnusablePath: it would be that of a user whom this machine does not know.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UnusablePath(str(path), "this machine has no such user") from error


def named(error: Exception) -> Exception:
    """Return what the machine says of a file as an error of ours; anything else as it is."""
    match error:
        case OSError(filename=str() | bytes() | Path() as path, strerror=str(why)):
            is_taken = isinstance(error, FileExistsError)
            return UnusablePath(str(path), _TAKEN if is_taken else why)
        case _:
            return error


@contextmanager
def naming_files() -> Iterator[None]:
    """Let what the machine says of a file become an error of ours.

    Raises:
        UnusablePath: it said something.
    """
    try:
        yield
    except OSError as error:
        ours = named(error)
        if ours is error:
            raise
        raise ours from error
