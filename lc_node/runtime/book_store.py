"""The address book in the node's home: read at the start, replaced as a whole, never a reason not to start."""

import logging
import secrets
from collections.abc import Callable
from pathlib import Path

from lc_node.adapters.kept_file import read_kept, write_kept
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import ChainId, Digest, Millis
from lc_node.wire.address_book import AddressBook
from lc_node.wire.book_file import BOOK_BYTES_MAX, Kept, dump_book, load_book

_log = logging.getLogger(__name__)


class HomeBookStore:
    """Implements ``runtime.discovery.BookStore``."""

    def __init__(self, path: Path, chain_id: ChainId) -> None:
        """Keep the book of a chain in this file."""
        self._path = path
        self._chain_id = chain_id

    def read(self) -> Kept:
        """Return the book; an empty one if there is none, or what there is cannot be used."""
        data = read_kept(self._path, bytes_max=BOOK_BYTES_MAX)
        if data is not None:
            try:
                return load_book(data, self._chain_id)
            except MalformedBytes as error:
                _log.warning(
                    "%s is not used: %s; starting to look for peers anew", self._path, error
                )
        secret = Digest(secrets.token_bytes(32))
        return Kept(book=AddressBook(secret), anchors=(), sequence=Millis(0))

    def write(self, kept: Kept) -> Callable[[], None]:
        """Take down the book as it is now; return what writes it, in any thread."""
        data = dump_book(kept, self._chain_id)
        return lambda: self._replace(data)

    def _replace(self, data: bytes) -> None:
        try:
            write_kept(self._path, data)
        except OSError as error:
            _log.warning("cannot remember peers in %s: %s", self._path, error)
