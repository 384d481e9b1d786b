"""What the owner reads while a transaction is not final."""

from threading import Event

import pytest

from lc_node.cli.waiting import until_final


def test_a_transaction_that_is_soon_final_needs_no_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with until_final():
        pass

    assert capsys.readouterr().err == ""


def test_a_transaction_that_waits_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    heard = Event()

    def echo(text: str, *, err: bool) -> None:
        assert err
        said.append(text)
        heard.set()

    monkeypatch.setattr("click.echo", echo)
    with until_final(0.001):
        assert heard.wait(10)

    assert "two thirds of the bonded weight" in said[0]


def test_an_interrupted_waiting_says_that_the_transaction_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyboardInterrupt), until_final():
        raise KeyboardInterrupt

    assert "may still become final" in capsys.readouterr().err
