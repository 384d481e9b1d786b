"""Tables and stories, each as HTML for a notebook and as plain text for everything else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_STYLE: Final = """<style>
.lc{font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;max-width:100%;
 color:var(--jp-ui-font-color1,var(--vscode-foreground,inherit))}
.lc h4{margin:.2em 0 .4em;font-size:14px;font-weight:600}
.lc p{margin:.25em 0}
.lc .lc-scroll{overflow-x:auto}
.lc table{border-collapse:collapse;margin:.3em 0 .7em;font-variant-numeric:tabular-nums}
.lc caption{text-align:left;font-weight:600;padding:.2em 0}
.lc th,.lc td{text-align:left;padding:.2em .7em .2em 0;border:0;
 border-bottom:1px solid var(--jp-border-color2,rgba(128,128,128,.35));white-space:nowrap;background:none;
 color:inherit}
.lc th{font-weight:600;color:var(--jp-ui-font-color2,inherit)}
.lc td.n,.lc th.n{text-align:right}
.lc td.w{white-space:normal;min-width:14em}
.lc .good{color:var(--jp-success-color0,#2e7d32)}
.lc .bad{color:var(--jp-error-color1,#d32f2f)}
.lc .dim{color:var(--jp-ui-font-color2,#777)}
</style>"""


@dataclass(frozen=True, slots=True)
class Shown:
    """Something to look at: IPython takes the HTML, a terminal the text."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return f'{_STYLE}<div class="lc">{self.html}</div>'

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: its heading and how its cells are set."""

    name: str
    is_number: bool = False
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's text and its tone: ``good``, ``bad``, ``dim`` or plain."""

    text: str
    tone: str = ""


def table(
    caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell | str]], *, empty: str
) -> Shown:
    """Return a table, or the sentence ``empty`` where there is no row."""
    cells = [[c if isinstance(c, Cell) else Cell(c) for c in row] for row in rows]
    if not cells:
        return paragraph(empty)
    return Shown(_table_html(caption, columns, cells), _table_text(caption, columns, cells))


def paragraph(text: str, tone: str = "") -> Shown:
    """Return one sentence."""
    return Shown(f'<p class="{tone}">{escape(text)}</p>', text)


def heading(text: str) -> Shown:
    """Return a small heading."""
    return Shown(f"<h4>{escape(text)}</h4>", f"{text}\n{'-' * len(text)}")


def stack(*parts: Shown) -> Shown:
    """Return parts one below the other."""
    return Shown("".join(p.html for p in parts), "\n".join(p.text for p in parts))


def _table_html(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> str:
    head = "".join(
        f'<th scope="col"{_class("n" if column.is_number else "")}>{escape(column.name)}</th>'
        for column in columns
    )
    body = "".join(
        "<tr>" + "".join(_cell_html(c, k) for c, k in zip(row, columns, strict=True)) + "</tr>"
        for row in rows
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="lc-scroll"><table>{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell_html(cell: Cell, column: Column) -> str:
    names = [cell.tone, "n" if column.is_number else "", "w" if column.wraps else ""]
    return f"<td{_class(' '.join(filter(None, names)))}>{escape(cell.text)}</td>"


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""


def _table_text(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> str:
    lines = [[column.name for column in columns], *([c.text for c in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    set_lines = [
        "  ".join(
            cell.rjust(width) if column.is_number else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*([caption] if caption else []), *set_lines])
