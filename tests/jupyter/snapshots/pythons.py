"""Makes environments of every kind, and lets the interpreter of each package a cell."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

ROOT = Path(__file__).parents[3]
UV = Path(sys.executable).with_name("uv")
PROGRAM = (Path(__file__).parent / "package_here.py").read_text()
PACKAGING_NEEDS = ("cloudpickle", "msgspec", "pathspec", "pyelftools")
"""What packaging itself imports: `pip install learningchain` would bring it."""


@dataclass(frozen=True)
class Packaged:
    """What an interpreter said of the image that it made."""

    folder: Path
    said: Mapping[str, Any] = field(repr=False)

    @property
    def digest(self) -> str:
        """The image's."""
        digest: str = self.said["digest"]
        return digest

    @property
    def outside(self) -> list[float]:
        """What the cell's ``evaluate`` gave in that environment, for a model that it trained."""
        losses: list[float] = self.said["outside"]
        return losses

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each layer by digest."""
        return {digest: size for _, digest, size in self.said["layers"]}

    @property
    def titles(self) -> dict[str, str]:
        """Digests of the layers by title."""
        return {title: digest for title, digest, _ in self.said["layers"]}


@dataclass(frozen=True)
class Python:
    """An interpreter, and what its process is started with."""

    program: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def package(
        self,
        cell: str,
        folder: Path,
        *,
        cache: Path,
        model_format: str = "raw",
        notebook: Path | None = None,
        include: Sequence[str] = (),
    ) -> Packaged:
        """Let the interpreter package a cell into a folder, as a notebook that lies in ``notebook``."""
        order = {
            "cell": dedent(cell),
            "model_format": model_format,
            "include": list(include),
            "folder": str(folder),
            "cache": str(cache),
        }
        folder.mkdir(parents=True, exist_ok=True)
        return Packaged(
            folder, json.loads(self.run(PROGRAM, json.dumps(order), notebook=notebook))
        )

    def run(self, program: str, *arguments: str, notebook: Path | None = None) -> str:
        """Run a program and return what it printed."""
        done = subprocess.run(
            [self.program, "-c", program, *arguments],
            env={"PATH": os.defpath, "HOME": os.environ["HOME"], **self.variables},
            cwd=notebook or self.program.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def install(program: Path, *wanted: str, options: Sequence[str] = ()) -> None:
    """Install distributions for an interpreter, in the versions of the lock where it has them."""
    words = ("pip", "install", "-q", "--python", str(program), *options, *wanted)
    run(UV, *words)


def make_venv(folder: Path, python: Path, wheel: Path, *wanted: str) -> Python:
    """Make a virtual environment with distributions, and with us."""
    run(UV, "venv", "-q", "--python", str(python), str(folder))
    program = folder / "bin" / "python"
    install(program, *PACKAGING_NEEDS, *wanted)
    install(program, str(wheel), options=["--no-deps"])
    return Python(program)


def build_wheel(folder: Path) -> Path:
    """Build our own wheel as it is now."""
    run(Path(sys.executable), "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    (wheel,) = folder.glob("*.whl")
    return wheel


def base_python() -> Path:
    """Return the interpreter that these tests' own environment was made from."""
    return Path(sys.base_prefix, "bin", f"python{sysconfig.get_python_version()}")


def other_python() -> Path:
    """Return an interpreter of another version where pyenv has one, else the same one."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = sorted(root.glob("3.12*/bin/python3.12"))
    return found[-1] if found else base_python()


def run(program: Path, *words: str) -> None:
    """Run one of our own programs."""
    done = subprocess.run([program, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
