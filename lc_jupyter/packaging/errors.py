"""Why an environment or a cell cannot be packaged: one class a cause, each message names the fix."""

import shlex
from collections.abc import Sequence

from lc_jupyter.errors import UserError
from lc_jupyter.units import show_bytes


class PackagingError(UserError):
    """Root of the refusals of packaging."""


class UnsupportedPlatform(PackagingError):
    """This interpreter cannot be copied into a Linux image."""

    def __init__(self, platform: str) -> None:
        """Name the platform."""
        super().__init__(
            f"a snapshot needs Python on Linux, this is {platform}; let a container engine build the image:"
            " lc_jupyter.write_dockerfile(train, evaluate, 'folder')"
        )


class UnpicklableCapture(PackagingError):
    """A value that a function uses cannot be sent."""

    def __init__(self, trail: str, kind: str, why: str) -> None:
        """Name the way to the value from a function of the job, its type, and what pickling said."""
        super().__init__(
            f"{trail} is a {kind} and cannot be sent ({why}); create it inside the function that uses it"
        )
        self.trail = trail


class CapturedTooLarge(PackagingError):
    """The values that the functions use are larger together than the limit, in bytes."""

    def __init__(self, bytes_max: int, names: Sequence[tuple[str, int]]) -> None:
        """Name the limit and the largest captured names with their sizes."""
        largest = ", ".join(f"{name} {show_bytes(size)}" for name, size in names)
        super().__init__(
            f"the captured data is over {show_bytes(bytes_max)} ({largest}); load it inside train and"
            " evaluate from a file given with --include PATH"
        )
        self.names = tuple(names)


class SecretFound(PackagingError):
    """Something that looks like a key or a password would be sent to strangers."""

    def __init__(self, findings: Sequence[tuple[str, str]]) -> None:
        """Name where each was found and which rule it met; never the value."""
        listed = "; ".join(f"{where}: {rule}" for where, rule in findings)
        names = dict.fromkeys(where.partition("[")[0] for where, _ in findings)
        allowed = " ".join(f"--allow-secret {shlex.quote(name)}" for name in names)
        super().__init__(
            f"this looks secret and every node of the job could read it ({listed});"
            f" take it out, or add {allowed} if it is harmless"
        )
        self.findings = tuple(findings)


class DistributionMissing(PackagingError):
    """A distribution that was asked for is not installed here."""

    def __init__(self, name: str, needed_by: str) -> None:
        """Name the distribution and who needs it."""
        super().__init__(f"{name} is not installed, {needed_by} needs it: pip install {name}")
        self.name = name


class ZippedModule(PackagingError):
    """A module lies in an archive, where nothing of it can be read file by file."""

    def __init__(self, module: str, archive: str) -> None:
        """Name the module and the archive."""
        super().__init__(
            f"the module {module} lies in {archive}, a zipped egg or archive, which cannot be packaged;"
            f" install it unpacked: pip install {module}"
        )
        self.module = module


class FolderTaken(PackagingError):
    """What is to become a folder is there already: a folder that is not empty, or a file."""

    def __init__(self, folder: str) -> None:
        """Name the folder."""
        super().__init__(f"{folder} is no empty folder; name a new folder")


class NoProgram(PackagingError):
    """There is no program to post."""

    def __init__(self, program: str, folder: str) -> None:
        """Name the file, and from where it was looked for."""
        super().__init__(
            f"{program} is no file (seen from {folder}); name the program, such as train.py"
        )


class IncludeRefused(PackagingError):
    """A path given with --include cannot be part of the image."""

    def __init__(self, path: str, why: str) -> None:
        """Name the path and the rule."""
        super().__init__(f"--include {path}: {why}")


class BadIgnoreFile(PackagingError):
    """A file of patterns cannot be read."""

    def __init__(self, path: str, why: str) -> None:
        """Name the file and the pattern."""
        super().__init__(f"{path}: {why}; its lines are written like those of a .gitignore")


class EnvironmentChanged(PackagingError):
    """A file changed, or went away, while it was read."""

    def __init__(self, why: str) -> None:
        """Say which file."""
        super().__init__(f"{why}; run the cell again when nothing is being installed")
