"""Which modules a piece of code names in its imports, whether as text or compiled."""

import ast
import dis
import sys
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Final

OURS: Final = frozenset({"lc_jupyter", "lc_node"})
"""The image holds the part of these that a job needs already."""


def imported_by_text(text: str) -> frozenset[str]:
    """Return the dotted names of modules that a source imports anywhere; none if it does not parse.

    ``from a.b import c`` names ``a.b`` and ``a.b.c``, since ``c`` may be a module. Relative imports stay
    within their package and are not named. Lines for IPython alone (``%magic``, ``!shell``) are skipped.
    """
    lines = ("" if line.lstrip()[:1] in {"%", "!"} else line for line in text.splitlines())
    try:
        tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError):
        return frozenset()
    return imported_by_tree(ast.walk(tree))


def imported_by_tree(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """Return the dotted names of modules that nodes of a parsed source import."""
    return _foreign(name for node in nodes for name in _names_in(node))


def imported_by_code(code: CodeType) -> frozenset[str]:
    """Return the dotted names of modules that compiled code imports, also in functions within it."""
    return _foreign(_names_in_code(code))


def codes_within(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and all that are nested in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_within(constant)


def top_level(module: str) -> str:
    """Return the first part of a dotted name."""
    return module.partition(".")[0]


def _foreign(names: Iterator[str]) -> frozenset[str]:
    known = sys.stdlib_module_names | OURS | {"__main__"}
    # zoneinfo reads its time zones from the distribution tzdata where the system has none.
    found = ("tzdata" if name == "zoneinfo" else name for name in names)
    return frozenset(name for name in found if name and top_level(name) not in known)


def _names_in(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=aliases):
            yield from (alias.name for alias in aliases)
        case ast.ImportFrom(module=str(module), names=aliases, level=0):
            yield module
            yield from (f"{module}.{alias.name}" for alias in aliases if alias.name != "*")
        case _:
            return


def _names_in_code(code: CodeType) -> Iterator[str]:
    for part in codes_within(code):
        module = ""
        for instruction in dis.get_instructions(part):
            if instruction.opname == "IMPORT_NAME":
                # Relative imports push their level; their names resolve within the same package.
                module = str(instruction.argval)
                yield module
            elif instruction.opname == "IMPORT_FROM" and module:
                yield f"{module}.{instruction.argval}"
