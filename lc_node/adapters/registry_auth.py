"""How a registry is told who we are: anonymously, by name and password, or by a token that a third host gives."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.request import parse_http_list

import msgspec
from aiohttp import encode_basic_auth

from lc_node.adapters.registry_credentials import Credentials

_HEADER_CHARS_MAX: Final = 8 * 1024
TOKEN_BYTES_MAX: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a registry asks for (RFC 9110 section 11.6.1; distribution ``spec/auth/token``)."""

    realm: str
    """Where a token is to be had; empty if name and password are wanted."""
    service: str = ""
    scope: str = ""


class _Answer(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""


def read_challenge(headers: Iterable[str]) -> Challenge | None:
    """Return what is asked for by a 401's ``WWW-Authenticate`` headers; None if it is nothing that we know."""
    found = None
    for header in headers:
        scheme, _, rest = header[:_HEADER_CHARS_MAX].strip().partition(" ")
        words = _words(rest)
        if scheme.lower() == "bearer" and words.get("realm"):
            return Challenge(
                realm=words["realm"],
                service=words.get("service", ""),
                scope=words.get("scope", ""),
            )
        if scheme.lower() == "basic":
            found = Challenge(realm="")
    return found


def _words(text: str) -> dict[str, str]:
    """Return the parameters of a challenge (RFC 9110 section 11.2)."""
    pairs = (each.partition("=") for each in parse_http_list(text))
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def read_token(data: bytes) -> str:
    """Return the token of an answer, empty if there is none."""
    try:
        answer = msgspec.json.decode(data, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    token = answer.token or answer.access_token
    return token if token.isascii() and token.isprintable() else ""


def basic_header(credentials: Credentials) -> str:
    """Return the header that tells name and password."""
    return encode_basic_auth(credentials.user, credentials.password, "utf-8")
