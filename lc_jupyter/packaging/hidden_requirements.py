"""What a distribution needs beyond what it says: Debian's packages leave their requirements to apt.

Such a distribution has no RECORD, and its metadata name no or few requirements (scikit-learn's do not name scipy),
so its sources are asked: what they import when they are imported.
"""

import ast
from collections.abc import Iterator
from typing import Final

from lc_jupyter.packaging.distributions import Installed
from lc_jupyter.packaging.files import SourceFile, source_file
from lc_jupyter.packaging.imports import imported_by_tree
from lc_jupyter.packaging.layer_cache import LayerCache, files_key

_TESTS: Final = frozenset({"tests", "test", "testing", "conftest.py", "setup.py"})


def hidden_requirements(installed: Installed, cache: LayerCache) -> frozenset[str]:
    """Return the modules that a distribution without RECORD imports; those of its own are among them."""
    if installed.has_record:
        return frozenset()
    files = tuple(_sources(installed))
    found = cache.note(files_key("imports", files), lambda: sorted(_imported(files)))
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset()


def _sources(installed: Installed) -> Iterator[SourceFile]:
    for path in installed.files:
        if path.endswith(".py") and _TESTS.isdisjoint(path.split("/")):
            file = source_file(path, installed.site / path)
            if file:
                yield file


def _imported(files: tuple[SourceFile, ...]) -> frozenset[str]:
    found: set[str] = set()
    for file in files:
        try:
            tree = ast.parse(file.source.read_bytes())
        except (SyntaxError, ValueError):
            continue  # a template, or a file for Python 2
        found |= imported_by_tree(_without_functions(tree))
    return frozenset(found)


def _without_functions(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs when a module is imported; what a function imports is often optional."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
