"""Credentials for registries, from a file as ``docker login`` writes it; they are never shown."""

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import msgspec

from lc_node.chain.errors import LearningChainError
from lc_node.oci.references import DOCKER_HUB

_FILE_BYTES_MAX: Final = 1024 * 1024
_DOCKER_HUB_KEYS: Final = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")
_Text = Annotated[str, msgspec.Meta(max_length=64 * 1024)]


class BadCredentials(LearningChainError):
    """The file with the credentials cannot be used."""

    def __init__(self, path: Path, why: str) -> None:
        """Name the file and what is wrong, and nothing of what is in it."""
        super().__init__(f"{path}: {why}; `docker login` or `skopeo login` writes such a file")
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are to one registry."""

    user: str
    password: str = field(repr=False)


class _Entry(msgspec.Struct, frozen=True):
    auth: _Text = ""
    username: _Text = ""
    password: _Text = ""
    identitytoken: _Text = ""


class _File(msgspec.Struct, frozen=True):
    auths: dict[str, _Entry] = {}


def read_credentials(path: Path | None, host: str) -> Credentials | None:
    """Return the credentials for a registry; None if the file has none, or there is no file.

    Raises:
        BadCredentials: the file is malformed, or keeps them in a program of its own.
    """
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_BYTES_MAX + 1)
        auths = msgspec.json.decode(data[:_FILE_BYTES_MAX], type=_File).auths
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        # Without the error's own words: they could quote the file.
        raise BadCredentials(
            path, "it is no JSON as Docker's config.json, or cannot be read"
        ) from None
    keys = (
        f"https://{host}",
        f"https://{host}/v1/",
        f"https://{host}/v2/",
        f"http://{host}",
        host,
    )
    entry = next(
        (auths[key] for key in (_DOCKER_HUB_KEYS if host == DOCKER_HUB else keys) if key in auths),
        None,
    )
    return None if entry is None else _of(path, host, entry)


def _of(path: Path, host: str, entry: _Entry) -> Credentials:
    if entry.username and entry.password:
        return Credentials(user=entry.username, password=entry.password)
    if not entry.auth:
        why = (
            "is a token of its own kind"
            if entry.identitytoken
            else "is kept by another program (credsStore)"
        )
        raise BadCredentials(path, f"what it has for {host} {why}, which is not read")
    try:
        text = base64.b64decode(entry.auth, validate=True).decode()
    except ValueError:  # binascii.Error is one; what a letter beyond ASCII raises is not
        raise BadCredentials(path, f"its auth for {host} is not base64") from None
    user, colon, password = text.partition(":")
    if not colon:
        raise BadCredentials(path, f"its auth for {host} is not user:password")
    return Credentials(user=user, password=password.rstrip("\0"))
