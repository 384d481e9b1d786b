"""Credentials are read as Docker writes them, and nothing of them is ever shown."""

import base64
import json
from pathlib import Path

import pytest

from lc_node.adapters.registry_auth import Challenge, read_challenge, read_token
from lc_node.adapters.registry_credentials import (
    BadCredentials,
    Credentials,
    read_credentials,
)

SECRET = "s3cret"  # noqa: S105  # not one
AUTH = base64.b64encode(f"ali:{SECRET}".encode()).decode()
ALI = Credentials(user="ali", password=SECRET)


def written(folder: Path, document: object) -> Path:
    path = folder / "config.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v1/", "ghcr.io"),
        ("localhost:5000", "localhost:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
    ],
)
def test_credentials_are_found_as_docker_files_them(key: str, host: str, tmp_path: Path) -> None:
    path = written(
        tmp_path, {"auths": {key: {"auth": AUTH}, "other": {}}, "credsStore": "desktop"}
    )

    assert read_credentials(path, host) == ALI


@pytest.mark.parametrize(
    "entry",
    [
        {"username": "ali", "password": SECRET},
        {"auth": AUTH, "email": "ali@example.org"},
        {"auth": base64.b64encode(f"ali:{SECRET}\0\0".encode()).decode()},
    ],
)
def test_each_form_of_an_entry_is_read(entry: dict[str, str], tmp_path: Path) -> None:
    assert read_credentials(written(tmp_path, {"auths": {"ghcr.io": entry}}), "ghcr.io") == ALI


def test_without_an_entry_or_a_file_there_are_none(tmp_path: Path) -> None:
    path = written(tmp_path, {"auths": {"ghcr.io": {"auth": AUTH}}})

    assert read_credentials(path, "quay.io") is None
    assert read_credentials(path, "docker.io") is None
    assert read_credentials(tmp_path / "nothing.json", "ghcr.io") is None
    assert read_credentials(None, "ghcr.io") is None


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (f'{{"auths": {{"ghcr.io": "{SECRET}', "no JSON"),
        ({"auths": [SECRET]}, "no JSON"),
        ({"auths": {"ghcr.io": {}}}, "by another program"),
        ({"auths": {"ghcr.io": {"identitytoken": SECRET}}}, "a token of its own kind"),
        ({"auths": {"ghcr.io": {"auth": f"*{SECRET}"}}}, "not base64"),
        ({"auths": {"ghcr.io": {"auth": f"ü{SECRET}"}}}, "not base64"),
        (
            {"auths": {"ghcr.io": {"auth": base64.b64encode(SECRET.encode()).decode()}}},
            "not user:password",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_not_quoted(
    document: object, why: str, tmp_path: Path
) -> None:
    path = written(tmp_path, document)

    with pytest.raises(BadCredentials, match=why) as raised:
        read_credentials(path, "ghcr.io")

    assert str(path) in str(raised.value)
    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_password_is_not_shown() -> None:
    assert SECRET not in repr(ALI)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        (["Negotiate"], None),
        (["Bearer"], None),
        (['Bearer service="s"'], None),
        (['Basic realm="here"'], Challenge(realm="")),
        (
            ['Bearer realm="https://a/t",service="s",scope="repository:n:pull,push"'],
            Challenge(realm="https://a/t", service="s", scope="repository:n:pull,push"),
        ),
        (['bearer realm="https://a/t"'], Challenge(realm="https://a/t")),
        (['Basic realm="x"', 'Bearer realm="https://a/t"'], Challenge(realm="https://a/t")),
        (["Bearer realm"], None),
        (["Bearer realm="], None),
        (['Bearer Realm = "https://a/t" , service=""'], Challenge(realm="https://a/t")),
        (["Bearer " + "a," * 10**5], None),
    ],
)
def test_a_challenge_is_read(headers: list[str], expected: Challenge | None) -> None:
    assert read_challenge(headers) == expected


@pytest.mark.parametrize(
    ("answer", "token"),
    [
        (b'{"token": "a"}', "a"),
        (b'{"access_token": "b"}', "b"),
        (b'{"token": "a", "access_token": "b"}', "a"),
        (b"{}", ""),
        (b"[]", ""),
        (b"\xff", ""),
        (b'{"token": "a\\r\\nHost: x"}', ""),
        ('{"token": "\u00e4"}'.encode(), ""),
    ],
)
def test_a_token_is_read_that_can_stand_in_a_header(answer: bytes, token: str) -> None:
    assert read_token(answer) == token
