"""The picture of the best loss over time."""

import re

from lc_jupyter.curve import Announced, show_curve

START, END = 0, 1000


def bid(bidder: str, loss: int, time: int) -> Announced:
    return Announced(bidder=bidder, loss=loss, time=time)


def path_of(html: str) -> str:
    """Return the step line's commands: the path after the frame."""
    return str(re.findall(r'<path d="([^"]+)"', html)[1])


def test_without_a_bid_there_is_no_picture() -> None:
    assert show_curve([], set(), START, END, 500).html == ""


def test_the_line_steps_down_where_somebody_was_better() -> None:
    bids = [bid("a", 100, 100), bid("b", 150, 200), bid("b", 50, 400)]

    assert path_of(show_curve(bids, set(), START, END, 600).html) == "M100.0 8.0H400.0V92.0H600.0"


def test_the_line_ends_now_and_not_at_the_expiry() -> None:
    html = show_curve([bid("a", 100, 100)], set(), START, END, 250).html

    assert path_of(html).endswith("H250.0")


def test_a_refuted_bid_is_a_cross_beside_the_line() -> None:
    bids = [bid("honest", 100, 100), bid("liar", 10, 800)]
    html = show_curve(bids, {"liar"}, START, END, 2000).html

    assert path_of(html) == "M100.0 8.0H1000.0"
    assert html.count('class="bad" d="M794.0') == 1
    assert "refuted" in html


def test_losses_of_many_magnitudes_are_shown_on_a_logarithmic_scale() -> None:
    bids = [bid("a", 1000, 0), bid("a", 100, 100), bid("a", 10, 200)]
    html = show_curve(bids, set(), START, END, 300).html

    assert "logarithmic" in html
    assert path_of(html) == "M0.0 8.0H100.0V50.0H200.0V92.0H300.0"


def test_losses_below_zero_have_a_linear_scale() -> None:
    assert (
        "logarithmic" not in show_curve([bid("a", 900, 0), bid("a", -1, 9)], set(), 0, 9, 9).html
    )


def test_the_picture_can_be_read_aloud() -> None:
    html = show_curve([bid("a", 500_000_000, 0)], set(), START, END, 9).html

    assert 'role="img" aria-label="Best loss, from 0.500000 to 0.500000"' in html
