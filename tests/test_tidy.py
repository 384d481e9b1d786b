"""Properties of the source itself, after tigerbeetle's src/tidy.zig."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PURE = ("chain", "consensus", "wire", "worker", "oci")
BANNED_IN_PURE = {"hash", "id", "open", "print", "input", "eval", "exec"}
INTEGERS_ONLY = ("chain", "consensus", "wire")
SOURCES = sorted([*ROOT.glob("lc_node/**/*.py"), *ROOT.glob("lc_jupyter/**/*.py")])
ALL = sorted([*SOURCES, *ROOT.glob("tests/**/*.py"), *ROOT.glob("bench/**/*.py")])

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])


def names_used(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.lineno, node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.lineno, "float"


@pytest.mark.parametrize("path", ALL, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_is_short_says_what_it_is_for_and_has_short_functions(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)

    assert text.count("\n") <= FILE_LINES_MAX
    assert ast.get_docstring(tree), "the first line of a module says what it is for"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            assert node.end_lineno - node.lineno < FUNCTION_LINES_MAX, node.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_core_uses_no_builtin_that_reads_or_varies(path: Path) -> None:
    parts = path.relative_to(ROOT).parts
    if parts[0] != "lc_node" or parts[1] not in PURE:
        return
    banned = BANNED_IN_PURE | ({"float"} if parts[1] in INTEGERS_ONLY else set())
    tree = ast.parse(path.read_text(encoding="utf-8"))

    assert not [(line, name) for line, name in names_used(tree) if name in banned]


def test_locks_name_no_host_path_or_find_links() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        for line in lock.read_text(encoding="utf-8").splitlines():
            code = line.split("#", 1)[0]
            assert "//" not in code, f"{lock.name}: {line}"
            assert "find-links" not in code, f"{lock.name}: {line}"
            assert "index-url" not in code, f"{lock.name}: {line}"


def test_locks_carry_a_hash_for_every_requirement() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
        pins = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
        assert pins
        assert all("--hash=sha256:" in pin for pin in pins), lock.name


def test_decisions_are_numbered_from_one_without_a_gap_and_name_their_number() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    titles = [path.read_text(encoding="utf-8").splitlines()[0] for path in records]

    numbers = [int(path.name.partition("-")[0]) for path in records]
    assert numbers == list(range(1, len(records) + 1))
    assert [int(title.removeprefix("# ").partition(".")[0]) for title in titles] == numbers


def _prose(page: Path) -> str:
    return re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


def _anchors(page: Path) -> set[str]:
    """Return what the headings of a page are called in addresses, as GitHub makes it of them."""
    headings = re.findall(r"^#+ +(.+)$", _prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_pictures_pages_and_headings_that_a_page_points_to_are_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", _prose(page))
    inside = [link.partition("#") for link in links if "://" not in link]
    targets = [((page.parent / path if path else page), anchor) for path, _, anchor in inside]

    assert [str(path) for path, _ in targets if not path.exists()] == []
    assert [
        f"{path}#{anchor}" for path, anchor in targets if anchor and anchor not in _anchors(path)
    ] == []
