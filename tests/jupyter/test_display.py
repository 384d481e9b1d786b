"""Tables and sentences, as HTML and as text."""

import pytest

from lc_jupyter.display import (
    Cell,
    Column,
    Shown,
    facts,
    fold,
    heading,
    paragraph,
    stack,
    table,
)

NASTY = '<img src=x onerror="alert(1)">'
COLUMNS = (Column("name"), Column("loss", is_number=True))


@pytest.mark.parametrize(
    "shown",
    [
        paragraph(NASTY),
        heading(NASTY),
        facts(NASTY, [(NASTY, NASTY)]),
        fold(NASTY, paragraph(NASTY)),
        table(NASTY, (Column(NASTY),), [[NASTY]], empty=""),
        table("", COLUMNS, [], empty=NASTY),
    ],
)
def test_what_strangers_wrote_is_never_markup(shown: Shown) -> None:
    assert "<img" not in shown._repr_html_()
    assert "&lt;img" in shown._repr_html_()


def test_a_table_of_text_is_aligned_with_numbers_to_the_right() -> None:
    shown = table("Bids", COLUMNS, [["a", "0.5"], ["long name", "12.25"]], empty="")

    assert shown.text.splitlines() == [
        "Bids",
        "name        loss",
        "a            0.5",
        "long name  12.25",
    ]


def test_a_cell_carries_its_tone_and_how_its_column_is_set() -> None:
    shown = table(
        "", (Column("loss", is_number=True, wraps=True),), [[Cell("1", "bad")]], empty=""
    )

    assert '<td class="bad n w">1</td>' in shown.html


def test_a_table_without_rows_is_a_sentence() -> None:
    assert table("Bids", COLUMNS, [], empty="No bids yet.").text == "No bids yet."


def test_a_terminal_gets_the_text() -> None:
    assert repr(stack(paragraph("one"), Shown("<svg/>", ""), paragraph("two"))) == "one\ntwo"


def test_colours_follow_the_theme() -> None:
    html = paragraph("fine", "good")._repr_html_()

    assert "var(--jp-ui-font-color1" in html
    assert 'body[data-jp-theme-light="false"]' in html
