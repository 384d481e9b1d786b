"""A sandbox that isolates nothing: plain processes, for tests whose jobs we wrote ourselves."""

import asyncio
import hashlib
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import cloudpickle

from lc_jupyter.runner import layout
from lc_node.chain.types import ByteCount, Digest, MillisSpan
from lc_node.ports.images import PreparedImage
from lc_node.ports.sandbox import (
    BadOutputFile,
    Capabilities,
    Outcome,
    RunRequest,
    Status,
    TakenFile,
)

LINE_LIMIT = 1024 * 1024


class ProcessRun:
    """A plain process behind the port's ``Run``."""

    def __init__(self, process: asyncio.subprocess.Process, out: Path) -> None:
        self._process = process
        self._out = out
        self._cancelled = False
        self.stderr = b""

    async def read_line(self) -> bytes | None:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        return line.removesuffix(b"\n") if line else None

    async def write_line(self, line: bytes) -> None:
        assert self._process.stdin is not None
        with suppress(ConnectionError):
            self._process.stdin.write(line + b"\n")
            await self._process.stdin.drain()

    async def take(self, name: str, into: Path, *, bytes_max: ByteCount) -> TakenFile:
        return _take(self._out / name, into, bytes_max)

    def kill(self) -> None:
        self._cancelled = True
        with suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> Outcome:
        assert self._process.stderr is not None
        self.stderr += await self._process.stderr.read()
        code = await self._process.wait()
        return Outcome(
            status=Status.CANCELLED if self._cancelled else Status.EXITED,
            exit_code=code,
            wall=MillisSpan(0),
            cpu=MillisSpan(0),
            memory_peak_bytes=ByteCount(0),
            log_tail=self.stderr.decode(errors="replace")[-4000:],
        )


class ProcessSandbox:
    """Runs argv as it is, with the contract's folders moved to the rootfs folder of the request."""

    async def probe(self) -> Capabilities:
        return Capabilities(engine="process", version="0", enforced=frozenset())

    @asynccontextmanager
    async def open(self, request: RunRequest) -> AsyncIterator[ProcessRun]:
        with tempfile.TemporaryDirectory() as folder:
            places = _places(request, Path(folder))
            process = await asyncio.create_subprocess_exec(
                *request.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**request.environment, **places},
                cwd=places["LC_WORK"],
                limit=LINE_LIMIT,
            )
            run = ProcessRun(process, Path(places["LC_OUT"]))
            try:
                yield run
            finally:
                run.kill()
                await process.communicate()

    async def reap(self) -> None:
        return


def _take(source: Path, into: Path, bytes_max: ByteCount) -> TakenFile:
    if source.is_symlink() or not source.is_file() or source.stat().st_size > bytes_max:
        raise BadOutputFile(f"{source.name} is missing, no regular file, or too large")
    with source.open("rb") as reader, into.open("xb") as writer:  # as strict as the real one
        shutil.copyfileobj(reader, writer)
    data = into.read_bytes()
    digest = Digest(hashlib.sha256(data).digest())
    return TakenFile(path=into, digest=digest, size=ByteCount(len(data)))


def _places(request: RunRequest, folder: Path) -> dict[str, str]:
    inputs, out = folder / "in", folder / "out"
    inputs.mkdir()
    out.mkdir()
    for name, path in request.inputs.items():
        shutil.copyfile(path, inputs / name)
    return {
        "LC_WORK": str(request.rootfs / "work"),
        "LC_IN": str(inputs),
        "LC_OUT": str(out),
    }


def cell_image(folder: Path, cell: str, model_format: str) -> PreparedImage:
    """Return an image of a notebook cell's text: its functions pickled as a kernel would."""
    write_payload(folder / "work", cell, model_format)
    write_runner(folder / "runner")
    return PreparedImage(
        rootfs=folder,
        argv=layout.entrypoint(sys.executable),
        environment={**layout.ENVIRONMENT, "PYTHONPATH": str(folder / "runner")},
    )


def write_payload(work: Path, cell: str, model_format: str) -> None:
    """Pickle the functions of a cell's text into a working folder."""
    names: dict[str, object] = {"__name__": "__main__"}
    exec(compile(cell, "<cell>", "exec"), names)  # noqa: S102 (a test's own text)
    wanted = ("train", "evaluate", "save", "load", "predict")
    payload = {key: names[key] for key in wanted if key in names}
    target = work / layout.PAYLOAD
    target.parent.mkdir(parents=True)
    target.write_bytes(cloudpickle.dumps({**payload, layout.PAYLOAD_FORMAT: model_format}))


def write_runner(root: Path) -> None:
    """Lay the runner out as in an image, so that it can import nothing else of ours."""
    package = root / "lc_jupyter"
    source = Path(layout.__file__).parent
    shutil.copytree(source, package / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").write_text(layout.PARENT_INIT, encoding="utf-8")


def program_image(folder: Path, source: str) -> PreparedImage:
    """Return an image whose entrypoint is a program in Python that knows nothing of our runner."""
    (folder / "work").mkdir(parents=True)
    program = folder / "program.py"
    program.write_text(source, encoding="utf-8")
    argv = (sys.executable, str(program))
    return PreparedImage(rootfs=folder, argv=argv, environment={"PYTHONUNBUFFERED": "1"})
