"""What tests of executors share: an image, a node's blobs, and programs to run."""

import io
import os
import tarfile
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lc_node.chain.types import Digest
from lc_node.ports.executor import Executor
from lc_node.ports.images import PreparedImage
from lc_node.ports.sandbox import Outcome, Run, RunRequest
from tests.adapters.jobs import LIMITS, all_lines
from tests.adapters.rootfs import ENVIRONMENT, PYTHON, build_python_rootfs
from tests.adapters.test_oci_image import Shelf

LIBRARY = f"/{Path(os.__file__).parent.name}/"
NEEDED = frozenset({"collections", "encodings", "importlib", "json", "lib-dynload", "re"})
"""The packages of the standard library that the programs of tests need."""


@dataclass(frozen=True, slots=True)
class Place:
    """An executor, and an image that it has prepared."""

    executor: Executor
    image: PreparedImage

    def start(
        self,
        code: str,
        *words: str,
        inputs: Mapping[str, Path] | None = None,
        is_background: bool = False,
        **limits: Any,
    ) -> AbstractAsyncContextManager[Run]:
        """Start a program."""
        return self.executor.sandbox.open(
            self.request(code, *words, inputs=inputs or {}, is_background=is_background, **limits)
        )

    def request(
        self,
        code: str,
        *words: str,
        inputs: Mapping[str, Path],
        is_background: bool = False,
        **limits: Any,
    ) -> RunRequest:
        """Return what asks for a run of a program."""
        return RunRequest(
            rootfs=self.image.rootfs,
            argv=(PYTHON, "-I", "-S", "-c", code, *words),
            environment=ENVIRONMENT,
            inputs=inputs,
            limits=replace(LIMITS, **limits),
            is_background=is_background,
            manifest=self.image.manifest,
        )

    async def outcome(self, code: str, **limits: Any) -> Outcome:
        """Run a program to its end and return how it ended."""
        async with self.start(code, **limits) as run:
            await all_lines(run)
            return await run.wait()


def pack_python(shelf: Shelf, folder: Path) -> Digest:
    """Store an image of an interpreter without most of its library."""
    rootfs = build_python_rootfs(folder)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(rootfs, arcname=".", filter=_needed)
    return shelf.put(buffer.getvalue())


def _needed(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    _, found, below = member.name.partition(LIBRARY)
    package, _, rest = below.partition("/")
    is_package = bool(found) and (bool(rest) or member.isdir())
    return None if is_package and package not in NEEDED else member
