"""What looks like a key or a password is found, what only resembles one passes."""

import pytest

from lc_node.oci.secret_scan import scan_text, scan_value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "hunter22"),
        ("SERVICE_TOKEN", "0f9a8b7c6d5e4f3a2b1c"),
        ("api_key", b"0123456789"),
        ("x", "-----BEGIN RSA PRIVATE KEY-----"),
        ("x", ["https://me:word@example.org/"]),
        ("x", "ghp_" + "a" * 36),
    ],
)
def test_what_looks_secret_is_found(name: str, value: object) -> None:
    assert list(scan_value(name, value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tokens", 5),
        ("pad_token", "<pad>"),
        ("first_token", "international"),
        ("tokens", ["international", "understanding"]),
        ("tokenizer", "bert-base-uncased"),
        ("url", "https://example.org/a?b=c"),
        ("secretary", "a person in an office"),
    ],
)
def test_what_only_resembles_a_secret_passes(name: str, value: object) -> None:
    assert not list(scan_value(name, value))


def test_a_secret_assigned_in_a_file_is_found() -> None:
    assert list(scan_text("settings.py", "PASSWORD = 'open sesame'\n"))


def test_a_key_in_a_file_is_found_whatever_it_is_called() -> None:
    assert list(scan_text("settings.py", "ID = 'AKIA0123456789ABCDEF'")) == [
        ("settings.py", "AWS access key")
    ]


def test_a_file_without_secrets_passes() -> None:
    assert list(scan_text("settings.py", "COLOUR = 'green'")) == []


def test_a_secret_in_a_list_of_dicts_is_found_under_its_key() -> None:
    assert list(scan_value("logins", [{"password": "open sesame"}])) == [("password", "its name")]


def test_what_lies_too_deep_is_not_looked_at() -> None:
    deep: object = {"password": "open sesame"}
    for _ in range(4):
        deep = [deep]

    assert list(scan_value("nested", deep)) == []
