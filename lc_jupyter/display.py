"""Tables and sentences, each as HTML for a notebook and as plain text for everything else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_STYLE: Final = """<style>
div.lc.lc{font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.45;
 max-width:960px;color:var(--jp-ui-font-color1,var(--vscode-foreground,inherit))}
div.lc.lc h4{margin:.2em 0 .3em;font-size:14px;font-weight:600;color:inherit;overflow-wrap:anywhere}
div.lc.lc p{margin:.25em 0;overflow-wrap:anywhere}
div.lc.lc pre{margin:.25em 0;max-height:24em;overflow:auto;font-size:12px;color:inherit;background:none}
div.lc.lc .lc-scroll{overflow-x:auto}
div.lc.lc table{border-collapse:collapse;margin:.3em 0 .7em;font-size:inherit;font-variant-numeric:tabular-nums}
div.lc.lc caption{text-align:left;font-weight:600;padding:.2em 0;color:inherit;caption-side:top}
div.lc.lc th,div.lc.lc td{text-align:left;vertical-align:baseline;padding:.2em 1em .2em 0;border:0;
 border-bottom:1px solid var(--jp-border-color2,rgba(128,128,128,.35));white-space:nowrap;
 background:none;color:inherit}
div.lc.lc th{font-weight:600;color:var(--jp-ui-font-color2,inherit)}
div.lc.lc td.n,div.lc.lc th.n{text-align:right}
div.lc.lc tbody tr:nth-child(n){background:none}
div.lc.lc td.w{white-space:normal;overflow-wrap:anywhere;min-width:6em}
div.lc.lc summary{cursor:pointer;color:var(--jp-ui-font-color2,inherit)}
div.lc.lc .good{color:var(--lc-good,var(--jp-success-color0,#2e7d32))}
div.lc.lc .bad{color:var(--lc-bad,var(--jp-error-color1,#d32f2f))}
div.lc.lc .dim{color:var(--jp-ui-font-color2,#777)}
div.lc.lc figure{margin:.5em 0 .7em;max-width:560px}
div.lc.lc svg{display:block;width:100%;height:110px;overflow:visible}
div.lc.lc .lc-ends{display:flex;justify-content:space-between;gap:1em;color:var(--jp-ui-font-color2,inherit)}
@media (max-width:500px){div.lc.lc{font-size:12px;padding-left:4px}div.lc.lc table{font-size:11px}div.lc.lc th,div.lc.lc td{padding-right:.6em}}
body[data-jp-theme-light="false"] div.lc.lc{--lc-good:var(--jp-success-color2,#81c784);--lc-bad:var(--jp-error-color2,#e57373)}
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


Row = Sequence[Cell | str]


def table(caption: str, columns: Sequence[Column], rows: Iterable[Row], *, empty: str) -> Shown:
    """Return a table, or the sentence ``empty`` where there is no row."""
    cells = [_cells(row) for row in rows]
    if not cells:
        return paragraph(empty, "dim")
    head = "".join(
        f'<th scope="col"{_class("n" if column.is_number else "")}>{escape(column.name)}</th>'
        for column in columns
    )
    body = "".join(_row_html(row, columns) for row in cells)
    html = _table_html(caption, f"<thead><tr>{head}</tr></thead>", body)
    headings = [column.name for column in columns]
    return Shown(html, _text(caption, columns, [headings, *_texts(cells)]))


def facts(caption: str, rows: Iterable[tuple[str, Cell | str]]) -> Shown:
    """Return names with their values, a line each."""
    pairs = [(name, value if isinstance(value, Cell) else Cell(value)) for name, value in rows]
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        f"<td{_class(f'w {value.tone}'.strip())}>{escape(value.text)}</td></tr>"
        for name, value in pairs
    )
    lines = [[name, value.text] for name, value in pairs]
    return Shown(
        _table_html(caption, "", body), _text(caption, (Column("name"), Column("value")), lines)
    )


def paragraph(text: str, tone: str = "") -> Shown:
    """Return one sentence."""
    return Shown(f"<p{_class(tone)}>{escape(text)}</p>", text)


def heading(text: str) -> Shown:
    """Return a small heading."""
    return Shown(f"<h4>{escape(text)}</h4>", f"{text}\n{'-' * len(text)}")


def lines(text: str) -> Shown:
    """Return what a program has written, line by line."""
    return Shown(f"<pre>{escape(text)}</pre>", text)


def fold(summary: str, part: Shown) -> Shown:
    """Return a part that a click unfolds; the text has all of it."""
    return Shown(
        f"<details><summary>{escape(summary)}</summary>{part.html}</details>",
        f"{summary}\n{part.text}",
    )


def stack(*parts: Shown) -> Shown:
    """Return parts one below the other."""
    return Shown(
        "".join(part.html for part in parts), "\n".join(part.text for part in parts if part.text)
    )


def _cells(row: Row) -> list[Cell]:
    return [cell if isinstance(cell, Cell) else Cell(cell) for cell in row]


def _texts(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    return [[cell.text for cell in row] for row in rows]


def _table_html(caption: str, head: str, body: str) -> str:
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="lc-scroll"><table>{title}{head}<tbody>{body}</tbody></table></div>'


def _row_html(row: Sequence[Cell], columns: Sequence[Column]) -> str:
    cells = (
        f"<td{_class(_names(cell, column))}>{escape(cell.text)}</td>"
        for cell, column in zip(row, columns, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"


def _names(cell: Cell, column: Column) -> str:
    names = (cell.tone, "n" if column.is_number else "", "w" if column.wraps else "")
    return " ".join(filter(None, names))


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""


def _text(caption: str, columns: Sequence[Column], lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    set_lines = [
        "  ".join(
            cell.rjust(width) if column.is_number else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([*([caption] if caption else []), *set_lines])
