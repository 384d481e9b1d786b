"""The layers that every snapshot of one interpreter shares: skeleton, interpreter, standard library, runner."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import lc_jupyter.runner
from lc_jupyter.packaging.environment import SITE_NAMES, Environment
from lc_jupyter.packaging.files import LayerPlan, SourceFile, source_file, walk
from lc_jupyter.packaging.layer_cache import LayerCache, files_key
from lc_jupyter.packaging.libraries import OPENED_BY_NAME, Closure, Libraries, compiled
from lc_jupyter.packaging.places import LOCAL_ROOT, PYTHON_ROOT, VENV_ROOT, site_of, stdlib_of
from lc_jupyter.runner.layout import IN, OUT, PARENT_INIT, RUNNER_PACKAGE, RUNNER_ROOT, WORK
from lc_node.oci.layers import FolderEntry, LinkEntry, file_of

_NOT_SHIPPED: Final = SITE_NAMES | {
    *("test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "pydoc_data"),
}
_WINDOW_TOOLKIT: Final = "_tkinter."
_LOCALE: Final = Path("/usr/lib/locale/C.utf8")
"""Without it ``setlocale`` fails, although the C library knows C.UTF-8 by name."""

_PASSWD: Final = (
    b"root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/tmp:/sbin/nologin\n"
)
_NSSWITCH: Final = b"passwd: files\ngroup: files\nhosts: files\n"


def skeleton_layer() -> LayerPlan:
    """Return the folders and the few files of /etc that programs expect; no shell, no certificates."""
    return LayerPlan(
        title="skeleton",
        entries=(
            *(FolderEntry(path=path, mode=0o1777) for path in ("tmp", "var/tmp")),
            *(FolderEntry(path=path, mode=0o555) for path in ("proc", "sys")),
            *(FolderEntry(path=path) for path in ("dev/shm", "run")),
            *(FolderEntry(path=path.lstrip("/")) for path in (IN, OUT, WORK)),
            file_of("etc/passwd", _PASSWD),
            file_of("etc/group", b"root:x:0:\nnogroup:x:65534:\n"),
            file_of("etc/hosts", b"127.0.0.1 localhost\n"),
            file_of("etc/nsswitch.conf", _NSSWITCH),
            file_of("etc/resolv.conf", b""),
        ),
    )


def interpreter_layer(environment: Environment, cache: LayerCache) -> LayerPlan:
    """Return the interpreter with its standard library and every shared library that these need."""
    version = environment.version
    program = f"{PYTHON_ROOT}/bin/python{version}"
    files = [
        *_given(source_file(program, environment.executable, strip=True)),
        *_standard_library(environment),
    ]
    key = files_key("interpreter", tuple(files), environment.key())
    libraries = Libraries.of_note(cache.note(key, lambda: _libraries(files, environment).note()))
    config = (
        f"home = /{PYTHON_ROOT}/bin\ninclude-system-site-packages = false\nversion = {version}\n"
    )
    return LayerPlan(
        title=f"Python {version}",
        files=(*files, *library_files(libraries, environment), *_locale()),
        entries=(
            file_of(f"{VENV_ROOT}/pyvenv.cfg", config.encode()),
            LinkEntry(path=f"{VENV_ROOT}/bin/python", target=f"/{program}"),
            LinkEntry(path=f"{PYTHON_ROOT}/bin/python3", target=f"python{version}"),
            FolderEntry(path=site_of(version)),
            file_of(f"{site_of(version)}/_learningchain.pth", f"/{LOCAL_ROOT}\n".encode()),
        ),
    )


def _libraries(files: list[SourceFile], environment: Environment) -> Libraries:
    own = compiled(files)
    closure = Closure(environment.machine, own)
    folders = [str(environment.base_prefix / "lib")]
    return closure.follow([file.source for file in own], OPENED_BY_NAME, folders)


def library_files(libraries: Libraries, environment: Environment) -> Iterator[SourceFile]:
    """Yield the libraries as files; those that came with the interpreter lose their debug sections."""
    for place, path in libraries.found.items():
        own = path.is_relative_to(environment.base_prefix) and environment.base_prefix != Path(
            "/usr"
        )
        yield from _given(source_file(place, path, strip=own))


def runner_layer() -> LayerPlan:
    """Return the side of the contract that runs inside the image."""
    folder = Path(lc_jupyter.runner.__file__ or "").parent
    parent, _, name = RUNNER_PACKAGE.partition(".")
    root = f"{RUNNER_ROOT.lstrip('/')}/{parent}"
    files = (source_file(f"{root}/{name}/{path}", folder / path) for path in walk(folder))
    return LayerPlan(
        title="runner",
        files=tuple(file for file in files if file),
        entries=(file_of(f"{root}/__init__.py", PARENT_INIT.encode()),),
    )


def _standard_library(environment: Environment) -> Iterator[SourceFile]:
    place = stdlib_of(environment.version)
    skip = _NOT_SHIPPED | {f"config-{environment.version}-{environment.machine}-linux-gnu"}
    for path in walk(environment.stdlib, frozenset(skip | {"lib-dynload"})):
        yield from _given(source_file(f"{place}/{path}", environment.stdlib / path))
    for path in walk(environment.dynload):
        if not path.startswith(_WINDOW_TOOLKIT):
            source = environment.dynload / path
            yield from _given(source_file(f"{place}/lib-dynload/{path}", source, strip=True))


def _locale() -> Iterator[SourceFile]:
    place = str(_LOCALE).lstrip("/")
    for path in walk(_LOCALE) if _LOCALE.is_dir() else ():
        yield from _given(source_file(f"{place}/{path}", _LOCALE / path))


def _given(file: SourceFile | None) -> Iterator[SourceFile]:
    if file:
        yield file
