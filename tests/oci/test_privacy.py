"""Homes and secrets are found in what people wrote, and not in what is published anyway."""

import pytest

from lc_node.oci.privacy import TEXT_BYTES_MAX, homes_in, secrets_in

KEY = b"aws = 'AKIA" + b"ABCDEFGHIJKLMNOP'\n"
SITE = "opt/venv/lib/python3.11/site-packages/some/config.py"


@pytest.mark.parametrize(
    ("data", "homes"),
    [
        (b"\0/home/alicia/x and /Users/bob.b/y\0", {"/home/alicia", "/Users/bob.b"}),
        (b"/home//x, /home/, /homes/a/b, /home/alicia", set()),
    ],
)
def test_homes_are_found_in_any_bytes(data: bytes, homes: set[str]) -> None:
    assert homes_in("app/x", data) == homes


def test_in_published_packages_only_an_own_home_is_looked_for() -> None:
    data = b"/home/guido/x /srv/alicia/y"

    assert homes_in(SITE, data) == set()
    assert homes_in(SITE, data, mine=b"/srv/alicia") == {"/srv/alicia"}
    assert homes_in(SITE, data, mine=b"/srv/other") == set()


def test_a_key_in_a_text_is_named_by_its_rule() -> None:
    assert list(secrets_in("app/config.py", KEY)) == ["AWS access key"]


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (SITE, KEY),
        ("usr/share/doc/x", KEY),
        ("app/blob", b"\0" + KEY),
        ("app/data.csv", KEY + b"1," * (TEXT_BYTES_MAX // 2)),
    ],
)
def test_packages_binaries_and_data_are_not_asked(path: str, data: bytes) -> None:
    assert not list(secrets_in(path, data))
