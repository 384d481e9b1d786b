"""What in an image tells of the people who made it: home folders, keys, passwords."""

import re
from collections.abc import Iterator
from typing import Final

from lc_node.oci.secret_scan import scan_text

TEXT_BYTES_MAX: Final = 1024 * 1024
"""Larger files are data; keys and passwords live in small ones."""

_HOME: Final = re.compile(rb"/(?:home|Users)/[A-Za-z_][A-Za-z0-9_.-]{0,31}(?=/)")
_OF_PACKAGES: Final = re.compile(
    r"(?:^|/)(?:lib/python3[^/]*|(?:site|dist)-packages|usr/(?:lib|share))/"
)
"""Published code is full of made-up passwords and of keys for its tests."""


def homes_in(path: str, data: bytes, mine: bytes = b"") -> frozenset[str]:
    """Return the home folders that bytes of a file of an image name.

    In published packages only one's own is looked for, ``mine``: their authors' and build machines' are in many.
    """
    found = {mine} if mine and mine in data else set[bytes]()
    if not _OF_PACKAGES.search(path):
        found |= set(_HOME.findall(data))
    return frozenset(home.decode(errors="replace") for home in found)


def secrets_in(path: str, data: bytes) -> Iterator[str]:
    """Yield by which rules a file of an image looks secret; published packages are not asked."""
    if len(data) <= TEXT_BYTES_MAX and b"\0" not in data and not _OF_PACKAGES.search(path):
        for _, rule in scan_text(path, data.decode("utf-8", "replace")):
            yield rule
