"""Whoever looks into the nodes' chains while they live, and forgets nothing of what was final."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import groupby

from lc_node.adapters.sqlite import open_reader
from lc_node.api.schema import Receipt
from lc_node.chain.blocks import BLOCK_DECODER
from lc_node.chain.transactions import transaction_id
from lc_node.chain.types import BlockId, Height
from lc_node.runtime.devnet import Place


class Witness:
    """Remembers every block that any node has called final."""

    def __init__(self, places: Sequence[Place]) -> None:
        """Watch the nodes that live at ``places``."""
        self._places = tuple(places)
        self._seen: dict[Height, BlockId] = {}
        self._tips: dict[str, Height] = {}

    def look(self) -> dict[str, Height]:
        """Compare what the nodes have finalised since the last look; return their heights by name."""
        for place in self._places:
            name = place.role.name
            for height, found in _blocks(place, above=self._tips.get(name, Height(-1))):
                known = self._seen.setdefault(height, found)
                assert found == known, f"{name} contradicts another at height {height}"
                self._tips[name] = height
        return dict(self._tips)

    def look_at_all(self) -> None:
        """Check that every node still has all that was final, in chains that do not differ."""
        self.look()
        for place in self._places:
            name, chain = place.role.name, dict(_blocks(place, above=Height(-1)))
            expected = {h: b for h, b in self._seen.items() if h <= self._tips[name]}
            assert chain == expected, f"{name} has lost or changed what was final"

    def look_at_payments(self, receipts: Iterable[Receipt]) -> None:
        """Check that what payers were told is final stands in the chain where they were told."""
        place = self._places[0]
        for height, group in groupby(sorted(receipts, key=_height), key=_height):
            promised = {one.transaction for one in group}
            assert promised <= _transactions(place, height), f"lost a payment of height {height}"


def _height(receipt: Receipt) -> int:
    return receipt.height


def _transactions(place: Place, height: int) -> set[str]:
    query = "SELECT block FROM blocks WHERE height = ?"
    with closing(open_reader(place.home.chain_path)) as connection:
        (data,) = connection.execute(query, (height,)).fetchone()
    block = BLOCK_DECODER.decode(data)
    return {transaction_id(signed.transaction).hex() for signed in block.transactions}


def _blocks(place: Place, *, above: Height) -> list[tuple[Height, BlockId]]:
    query = "SELECT height, id FROM blocks WHERE height > ? ORDER BY height"
    with closing(open_reader(place.home.chain_path)) as connection:
        return [(Height(h), BlockId(b)) for h, b in connection.execute(query, (above,))]
