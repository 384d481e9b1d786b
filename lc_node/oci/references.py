"""Names of images in registries, ``HOST[:PORT]/NAME[:TAG][@DIGEST]``, read as Docker reads them.

After distribution/reference ``regexp.go`` and ``normalize.go``: a first part with a dot or a colon in it, or
``localhost``, is a registry; all else is on Docker Hub, where a name of one part lies in ``library/``.
"""

import re
from dataclasses import dataclass
from typing import Final

REFERENCE_CHARS_MAX: Final = 512
NAME_CHARS_MAX: Final = 255
DOCKER_HUB: Final = "docker.io"
TAG: Final = "latest"
"""What is meant where neither a tag nor a digest is written."""

_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME: Final = re.compile(rf"{_PART}(?:/{_PART})*")
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_SCHEME: Final = re.compile(r"[a-z]+://")
_EXAMPLE: Final = "write for example ghcr.io/name/image:tag"


class BadReference(ValueError):
    """A text names no image in a registry; the message says what is perhaps meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image in a registry."""

    host: str
    """The registry, perhaps with a port."""
    name: str
    """The repository."""
    tag: str = ""
    digest: str = ""
    """``sha256:`` and 64 digits: of the manifest, or of an index of several."""

    def __str__(self) -> str:
        """Write it in full."""
        tag, digest = f":{self.tag}" * bool(self.tag), f"@{self.digest}" * bool(self.digest)
        return f"{self.host}/{self.name}{tag}{digest}"


def parse_reference(text: str) -> Reference:
    """Read a reference.

    Raises:
        BadReference: it is none.
    """
    found = _parsed(text)
    if found is not None:
        return found
    # Pasted from a browser, or with capitals in the name.
    near = _SCHEME.sub("", text.strip().rstrip("/"))
    host, slash, rest = near.partition("/")
    guesses = (near, host + slash + rest.lower(), near.lower())
    meant = next((str(each) for each in map(_parsed, guesses) if each is not None), None)
    hint = f"did you mean {meant}?" if meant else _EXAMPLE
    raise BadReference(f"{text[:NAME_CHARS_MAX]!r} names no image in a registry; {hint}")


def _parsed(text: str) -> Reference | None:
    if len(text) > REFERENCE_CHARS_MAX:
        return None
    rest, at, digest = text.partition("@")
    host, name = _split_host(rest)
    name, colon, tag = name.partition(":")
    if host == DOCKER_HUB and "/" not in name:
        name = f"library/{name}"
    is_well_formed = (
        _HOST.fullmatch(host)
        and _NAME.fullmatch(name)
        and len(name) <= NAME_CHARS_MAX
        and (not colon or _TAG.fullmatch(tag))
        and (not at or _DIGEST.fullmatch(digest))
    )
    if not is_well_formed:
        return None
    return Reference(host=host, name=name, tag=tag or (TAG if not at else ""), digest=digest)


def _split_host(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost")
    if not is_host:
        return DOCKER_HUB, text
    first = first.lower()
    return (DOCKER_HUB if first in {"index.docker.io", "registry-1.docker.io"} else first), rest
