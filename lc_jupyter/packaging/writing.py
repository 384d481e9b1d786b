"""Turns planned layers into blobs: bytecode and compression on all processors, nothing twice."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from lc_jupyter.packaging.bytecode import Redactions, bytecode_path, compile_modules, redacted
from lc_jupyter.packaging.elf import MAGIC, read_needs, stripped
from lc_jupyter.packaging.environment import Environment, is_private_folder
from lc_jupyter.packaging.errors import EnvironmentChanged
from lc_jupyter.packaging.files import LayerPlan, SourceFile
from lc_jupyter.packaging.layer_cache import LayerCache, layer_key
from lc_node.oci.layers import Entry, FileEntry, InvalidEntry, WrittenLayer, file_of, write_layer

_BATCH: Final = 150
"""Modules compiled by one process: enough to outweigh its start, few enough to share them evenly."""

_CHUNK_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLayer:
    """A layer in the cache."""

    written: WrittenLayer
    was_cached: bool


def write_layers(
    plans: Sequence[LayerPlan], environment: Environment, cache: LayerCache
) -> list[StoredLayer]:
    """Write those layers that the cache lacks, and return all in their order.

    Raises:
        EnvironmentChanged: a file changed or went away meanwhile.
    """
    keys = [layer_key(plan, environment) for plan in plans]
    known = [cache.find(key) for key in keys]
    missing = [n for n, layer in enumerate(known) if layer is None]
    missing.sort(key=lambda n: -plans[n].bytes_planned)
    try:
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            bytecode = _compile_all([plans[n] for n in missing], environment.redactions(), pool)

            def write(n: int) -> WrittenLayer:
                return _write(plans[n], keys[n], environment, bytecode, cache)

            fresh = dict(zip(missing, pool.map(write, missing), strict=True))
    except (InvalidEntry, OSError) as error:
        raise EnvironmentChanged(str(error)) from error
    cache.trim()
    return [
        StoredLayer(written=fresh[n], was_cached=False)
        if layer is None
        else StoredLayer(written=layer, was_cached=True)
        for n, layer in enumerate(known)
    ]


def _compile_all(
    plans: Sequence[LayerPlan], redactions: Redactions, pool: ThreadPoolExecutor
) -> dict[str, bytes]:
    modules = [file for plan in plans if plan.bytecode for file in plan.files if _is_module(file)]
    verbatim = [(file.path, file.source) for file in modules if file.verbatim]
    others = [(file.path, file.source) for file in modules if not file.verbatim]
    orders = [
        *((batch, ()) for batch in _batches(verbatim)),
        *((batch, redactions) for batch in _batches(others)),
    ]
    done: dict[str, bytes] = {}
    for codes in pool.map(lambda order: compile_modules(*order), orders):
        done |= codes
    return done


def _is_module(file: SourceFile) -> bool:
    return file.path.endswith(".py")


def _batches(modules: list[tuple[str, Path]]) -> Iterator[list[tuple[str, Path]]]:
    return (modules[start : start + _BATCH] for start in range(0, len(modules), _BATCH))


def _write(
    plan: LayerPlan,
    key: str,
    environment: Environment,
    bytecode: Mapping[str, bytes],
    cache: LayerCache,
) -> WrittenLayer:
    entries = [*plan.entries, *_file_entries(plan, environment, bytecode)]

    def write(file: BinaryIO) -> WrittenLayer:
        return write_layer(entries, file.write, gzip=plan.compress)

    return cache.store(key, write)


def _file_entries(
    plan: LayerPlan, environment: Environment, bytecode: Mapping[str, bytes]
) -> Iterator[Entry]:
    for file in plan.files:
        yield _entry(file, environment)
        if plan.bytecode and _is_module(file):
            place = bytecode_path(file.path)
            if place in bytecode:
                yield file_of(place, bytecode[place])


def _entry(file: SourceFile, environment: Environment) -> FileEntry:
    if file.strip:
        content = stripped(file.source.read_bytes())
        compiled = content.startswith(MAGIC)
        known = environment.redactions(compiled=compiled)
        own = _built_at(file.source, environment) if compiled else ()
        return file_of(file.path, redacted(content, (*known, *own)), file.mode)
    redactions = () if file.verbatim else _redactions_for(file.source, environment)
    reader = partial(_read, file.source, redactions)
    return FileEntry(path=file.path, content=reader, size=file.size, mode=file.mode)


def _built_at(source: Path, environment: Environment) -> Redactions:
    """Return what blanks the folders of this machine that a compiled file names: where it lies, where it looks.

    Libraries from there are elsewhere in the image, where the loader looks as well.
    """
    folders = {str(source.parent), str(environment.folder), *read_needs(source).folders}
    private = sorted(filter(is_private_folder, folders), key=lambda folder: (-len(folder), folder))
    return [(os.fsencode(folder), b"/" * len(os.fsencode(folder))) for folder in private]


def _redactions_for(source: Path, environment: Environment) -> Redactions:
    with source.open("rb") as file:
        compiled = file.read(len(MAGIC)) == MAGIC
    return environment.redactions(compiled=compiled)


def _read(source: Path, redactions: Redactions) -> Iterator[bytes]:
    """Yield a file in pieces; a path to be replaced may lie across the border of two."""
    overlap = max((len(old) for old, _ in redactions), default=1) - 1
    tail = b""
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            clean = redacted(tail + chunk, redactions)
            border = len(clean) - overlap
            tail = clean[max(0, border) :]
            yield clean[: max(0, border)]
    yield tail
