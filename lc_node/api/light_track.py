"""What one server has proved to a light client, from question to question."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, TypeVar

from lc_node.api.light_link import LightLink, ServerFailed, opened
from lc_node.api.light_places import Server
from lc_node.chain.blocks import Header
from lc_node.chain.codec import encode
from lc_node.chain.types import Height
from lc_node.consensus.inquiries import (
    EPOCH_PROOFS_DECODER,
    FINALIZED_DECODER,
    PROVEN_ENTRY_DECODER,
    GetEntry,
    GetFinalized,
)
from lc_node.consensus.light import Trusted
from lc_node.consensus.light_errors import EpochAhead
from lc_node.consensus.messages import GetEpochs
from lc_node.wire.topics import Topic

T = TypeVar("T")


class Track:
    """Asks one server, and keeps what it has proved: servers are compared by their tracks."""

    def __init__(self, server: Server, mind: Trusted) -> None:
        """Begin with what is trusted anyway."""
        self.server: Final = server
        self.mind = mind

    def newest(self) -> Header:
        """Return the newest final header that the server shows.

        Raises:
            ServerFailed: it does not answer.
            LearningChainError: what it says is not proved; see ``consensus.light``.
        """
        with self._opened() as link:
            self._catch_up(link)
        return self.mind.newest.header

    def entry(self, key: bytes) -> bytes | None:
        """Return what stands under a key in the newest state, None if it is proved that nothing does.

        Raises:
            ServerFailed, LearningChainError: as for ``newest``.
        """
        with self._opened() as link:
            said = _said(link, Topic.STATE, encode(GetEntry(key=key)), "its state")
            proven = PROVEN_ENTRY_DECODER.decode(said)
            mind, entry = self._followed(link, lambda mind: mind.entry(key, proven))
        self.mind = mind
        return entry

    def header(self, height: Height) -> Header:
        """Return the final header of a height in the newest epoch.

        Raises:
            ServerFailed, LearningChainError: as for ``newest``.
        """
        with self._opened() as link:
            self._catch_up(link)
            said = _said(link, Topic.FINALIZED, encode(GetFinalized(height=(height,))), "a header")
            finalized = FINALIZED_DECODER.decode(said)
            return self._followed(link, lambda mind: mind.header(height, finalized))

    def _opened(self) -> AbstractContextManager[LightLink]:
        return opened(self.server, self.mind.setting.chain_id)

    def _catch_up(self, link: LightLink) -> None:
        said = _said(link, Topic.FINALIZED, encode(GetFinalized(height=())), "its newest header")
        newest = FINALIZED_DECODER.decode(said)
        header, certificate = newest.headers[-1], newest.certificate
        self.mind = self._followed(link, lambda mind: mind.accept(header, certificate))

    def _followed(self, link: LightLink, step: Callable[[Trusted], T]) -> T:
        """Take a step; where it needs a later epoch's validators, follow the ends of epochs first, and no further.

        The epoch of what was said may have ended since. It ends: each round leads at least one epoch on, or fails.
        """
        while True:
            try:
                return step(self.mind)
            except EpochAhead as ahead:
                epoch = self.mind.setting.epoch
                question = encode(GetEpochs(first=epoch))
                said = _said(link, Topic.EPOCHS, question, f"how epoch {epoch} ended")
                proofs = EPOCH_PROOFS_DECODER.decode(said).proofs
                self.mind = self.mind.follow(proofs[: ahead.found - epoch])


def _said(link: LightLink, topic: Topic, question: bytes, what: str) -> bytes:
    answer = link.ask(topic, question)
    if answer is None:
        raise ServerFailed(f"the node does not tell {what}; it may be starting, or busy")
    return answer
