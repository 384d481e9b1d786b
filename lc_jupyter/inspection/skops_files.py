"""The types that a skops file asks for, and which of them nobody has reviewed; nothing of it is built."""

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import IO, Any, Final
from zipfile import BadZipFile, ZipFile

from lc_jupyter.inspection.contents import Contents, Unreadable, clean, count, keep_rows
from lc_jupyter.runner.formats import UNFOLDED_FREE_BYTES, UNFOLDED_RATIO_MAX
from lc_jupyter.runner.skops_types import allowed_types

SCHEMA: Final = "schema.json"
SCHEMA_BYTES_MAX: Final = 16 * 1024 * 1024
_UNREVIEWED: Final = "nobody reviewed it"
_MODULE, _CLASS = "__module__", "__class__"


def read_skops(file: IO[bytes], size: int) -> Contents:
    """Return the types that a file names: those that skops trusts, that we reviewed, and others.

    Raises:
        Unreadable: it is no skops file.
    """
    schema = _schema(file, size)
    types = sorted(set(_types(schema)))
    file.seek(0)
    standing = _standing(file)
    rows, left_out = keep_rows((name, standing.get(name, "skops trusts it")) for name in types)
    others = sorted(name for name, said in standing.items() if said == _UNREVIEWED)
    warning = (
        f"Nobody has reviewed {', '.join(map(clean, others[:5]))}: it is not loaded."
        if others
        else ""
    )
    root = clean(f"{schema.get(_MODULE)}.{schema.get(_CLASS)}")
    return Contents(
        what=f"{root}, made of {count(len(types), 'type')}.",
        columns=("type", "standing"),
        rows=rows,
        left_out=left_out,
        warning=warning,
    )


def _schema(file: IO[bytes], size: int) -> Mapping[str, Any]:
    """Return what the file says of its types; it must not unfold into much more than it is."""
    try:
        with ZipFile(file) as archive:
            unfolded = sum(member.file_size for member in archive.infolist())
            with archive.open(SCHEMA) as opened:
                schema = json.loads(opened.read(SCHEMA_BYTES_MAX))
    except (BadZipFile, LookupError, RecursionError) as error:
        raise Unreadable("skops", clean(error)) from error
    except Exception as error:  # zlib, lzma, bz2 and json have errors of their own
        raise Unreadable("skops", f"{type(error).__name__}: {clean(error)}") from error
    if not isinstance(schema, dict):
        raise Unreadable("skops", f"its {SCHEMA} is no object")
    if unfolded > UNFOLDED_FREE_BYTES + UNFOLDED_RATIO_MAX * size:
        raise Unreadable("skops", f"it would unfold into {unfolded:,} bytes")
    return schema


def _types(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the type of every node, with a list in place of the call stack: the file is a stranger's."""
    waiting: list[object] = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting.extend(node.values())
            if isinstance(node.get(_MODULE), str) and isinstance(node.get(_CLASS), str):
                yield clean(f"{node[_MODULE]}.{node[_CLASS]}")
        elif isinstance(node, list):
            waiting.extend(node)


def _standing(file: IO[bytes]) -> dict[str, str]:
    """Return the types that skops does not trust by itself, and whether we do."""
    try:
        untrusted = import_module("skops.io").get_untrusted_types(file=file)
        allowed = allowed_types(import_module("sklearn").__version__)
    except ModuleNotFoundError as error:
        raise Unreadable(
            "skops that could be judged here", f"{error.name} is not installed"
        ) from error
    except Exception as error:  # it refuses a broken file in many ways
        raise Unreadable("skops", f"{type(error).__name__}: {clean(error)}") from error
    return {name: "reviewed" if name in allowed else _UNREVIEWED for name in untrusted}
