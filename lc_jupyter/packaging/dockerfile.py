"""A Dockerfile with a lock of the environment: the way to an image where a snapshot cannot be made.

On macOS and Windows the interpreter cannot be copied into a Linux image, so an engine installs the same versions once
more. What is captured, the own modules, the runner and their places are those of a snapshot.
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lc_jupyter.packaging.distributions import Installed
from lc_jupyter.packaging.environment import Environment
from lc_jupyter.packaging.errors import FolderTaken
from lc_jupyter.packaging.files import LayerPlan, SourceFile
from lc_jupyter.packaging.gathering import Gathered, SnapshotRequest, code_layer, gather
from lc_jupyter.packaging.interpreter import runner_layer
from lc_jupyter.packaging.layer_cache import LayerCache
from lc_jupyter.packaging.places import LOCAL_ROOT
from lc_jupyter.runner.layout import ENVIRONMENT, RUNNER_ROOT, WORK, entrypoint
from lc_jupyter.stopwatch import Stopwatch
from lc_node.oci.layers import FileEntry

LOCK: Final = "requirements.txt"
BUILD: Final = "build"
"""The folder of the context with the lock, and with wheels of what no index has."""

_IMAGE_BUILD: Final = "/lc/build"
_INDEXED: Final = frozenset({"http", "https", "git+https", "hg+https"})
_HIDDEN: Final = "an address with a name in it"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext:
    """A folder that a container engine builds an image from."""

    folder: Path
    requirements: tuple[str, ...]
    """The lock, as pip reads it."""
    wheels_wanted: tuple[str, ...]
    """Distributions that were installed from files here: wheels of them for Linux have to be put into ``build``."""
    findings: tuple[tuple[str, str], ...]
    """What looked secret and was allowed."""

    def commands(self, name: str = "my-job") -> tuple[str, ...]:
        """Return what to type next: build, hand to the node, try, post."""
        return (
            f"docker build --platform linux/amd64 -t {name} {self.folder}",
            f"docker save {name} -o {name}.tar",
            f"lc-node image check {name}.tar",
            f"lc-node image load {name}.tar --name {name}",
            f"lc-node job post --image {name} --help",
        )


def write_build_context(
    request: SnapshotRequest,
    folder: Path,
    *,
    base: str = "",
    environment: Environment | None = None,
    cache: LayerCache | None = None,
) -> BuildContext:
    """Write a Dockerfile, a lock, and all that it copies.

    Args:
        request: what to package.
        folder: a new one, or an empty one.
        base: the image to build on, which must have this version of Python and pip; Docker's official one if not given.
        environment: this interpreter's, if not given.
        cache: the user's, if not given.

    Raises:
        PackagingError: one subclass a cause; the message names the fix.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderTaken(str(folder))
    environment = environment or Environment.anywhere()
    taken = gather(request, environment, cache or LayerCache.of_user(), Stopwatch())
    base = base or f"python:{environment.version}-slim"
    (folder / BUILD).mkdir(parents=True)
    requirements, wheels_wanted = _lock(taken.distributions)
    _write_text(folder / BUILD / LOCK, "".join(f"{line}\n" for line in requirements))
    roots = tuple(dict.fromkeys(_copied(taken, folder)))
    _write_text(folder / "Dockerfile", _dockerfile(base, roots))
    return BuildContext(
        folder=folder,
        requirements=requirements,
        wheels_wanted=wheels_wanted,
        findings=taken.findings,
    )


def _lock(distributions: Iterable[Installed]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the lines of the lock, and the names of what no index has; sources of editable ones are copied."""
    lines, wanted = [], []
    for installed in distributions:
        if installed.source_folder is not None:
            continue
        origin = _origin(installed)
        if urlsplit(origin).scheme in _INDEXED:
            lines.append(f"{installed.name} @ {origin}")
            continue
        lines.append(f"{installed.name}=={installed.version}")
        if origin:
            wanted.append(installed.name)
    return tuple(lines), tuple(wanted)


def _origin(installed: Installed) -> str:
    """Return from where a distribution was installed, if not from an index (PEP 610); never with a password in it."""
    said = json.loads(installed.found.read_text("direct_url.json") or "{}")
    url, version = str(said.get("url", "")), said.get("vcs_info")
    if "/feedstock_root/" in url or "/croot/" in url:
        return ""  # conda's own place of building: an index has it as well
    if urlsplit(url).username is not None:
        return _HIDDEN
    return f"{version['vcs']}+{url}@{version['commit_id']}" if version else url


def _copied(taken: Gathered, folder: Path) -> Iterator[str]:
    """Copy everything to its place below the folder; yield the places that the Dockerfile copies."""
    plans = (
        runner_layer(),
        LayerPlan(title="local modules", files=taken.local),
        *((taken.included,) if taken.included else ()),
        code_layer(taken.capture),
    )
    for plan in plans:
        for file in plan.files:
            yield _copy(file, folder)
        for entry in plan.entries:
            if isinstance(entry, FileEntry) and isinstance(entry.content, bytes):
                _write_bytes(folder / entry.path, entry.content)
                yield _top(entry.path)


def _copy(file: SourceFile, folder: Path) -> str:
    target = folder / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file.source, target)
    return _top(file.path)


def _top(path: str) -> str:
    """Return the folder of the context, and of the image, that one ``COPY`` brings."""
    return path.partition("/")[0]


def _write_bytes(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _write_text(path: Path, text: str) -> None:
    _write_bytes(path, text.encode())


def _dockerfile(base: str, roots: Iterable[str]) -> str:
    """Return the Dockerfile; it needs no shell in the base, and takes pip's own variables as build arguments."""
    variables = {**ENVIRONMENT, "PYTHONPATH": f"{RUNNER_ROOT}:/{LOCAL_ROOT}"}
    install = ["python", "-m", "pip", "install", "--no-cache-dir", "--find-links", _IMAGE_BUILD]
    lines = (
        f"FROM {base}",
        "USER 0:0",
        "ARG PIP_INDEX_URL",
        "ARG PIP_NO_INDEX",
        f"COPY {BUILD} {_IMAGE_BUILD}",
        f"RUN {json.dumps([*install, '-r', f'{_IMAGE_BUILD}/{LOCK}'])}",
        *(f"COPY {root} /{root}" for root in roots),
        "ENV " + " ".join(f"{name}={value}" for name, value in sorted(variables.items())),
        f"WORKDIR {WORK}",
        "USER 65534:65534",
        f"ENTRYPOINT {json.dumps(entrypoint('python'))}",
    )
    return "".join(f"{line}\n" for line in lines)
