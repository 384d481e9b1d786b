"""The folders for sockets are those of the tests of the door."""

from tests.api.conftest import short

__all__ = ["short"]
