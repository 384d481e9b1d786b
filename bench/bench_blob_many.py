"""blob.many: 256 MiB from one node to three that help each other; against bare TCP to three at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final

from bench.blob_seats import BLOB_BYTES, make_blob, node, tcp_client, tcp_server
from bench.harness import PAIRS_MIN, Measured, Target, from_samples
from bench.seats import Cost, Seat, measured, ram_folder, seated
from lc_node.ports.stores import Naming

MANY: Final = Target(name="blob.many", unit="MB/s each", limit=0.5, at_least=True)
CPU: Final = Target(name="blob.many.cpu", unit="MB/CPU-s", limit=0.5, at_least=True)
COPIES: Final = Target(name="blob.many.copies", unit="copies sent", limit=2.2, at_least=False)

_FETCHERS: Final = ("ann", "bob", "eve")


def run() -> list[Measured]:
    """Measure."""
    ours: list[Cost] = []
    bare: list[Cost] = []
    copies: list[float] = []
    with ram_folder() as folder, ExitStack() as stack:
        blob = make_blob(folder / "blob")
        server = stack.enter_context(seated(tcp_server, blob))
        clients: list[Seat] = []
        seed = stack.enter_context(seated(node, "seed", folder / "seed", []))
        known = [("seed", seed.ask("port"))]
        nodes: list[Seat] = []
        for name in _FETCHERS:
            (folder / f"bare-{name}").mkdir()
            clients.append(stack.enter_context(seated(tcp_client, folder / f"bare-{name}")))
            nodes.append(stack.enter_context(seated(node, name, folder / name, list(known))))
            known.append((name, nodes[-1].ask("port")))
        digest, port = seed.ask("put", blob, Naming.CHUNKS), server.ask("port")
        _ask_all([seed, *nodes], "connected", len(_FETCHERS))
        for _ in range(PAIRS_MIN):
            bare.append(_cost([server, *clients], clients, port))
            before = seed.ask("sent")
            ours.append(_cost([seed, *nodes], nodes, "fetch", digest, Naming.CHUNKS))
            copies.append((seed.ask("sent") - before) / BLOB_BYTES)
            _ask_all(nodes, "drop", digest)
    size = BLOB_BYTES / 1e6
    return [
        from_samples(
            MANY, [size / one.seconds for one in ours], [size / one.seconds for one in bare]
        ),
        from_samples(
            CPU, [size / one.cpu_seconds for one in ours], [size / one.cpu_seconds for one in bare]
        ),
        from_samples(COPIES, copies, [1.0] * len(copies)),
    ]


def _cost(everyone: Sequence[Seat], askers: Sequence[Seat], *asked: object) -> Cost:
    return measured(
        lambda: _ask_all(askers, *asked), lambda: sum(seat.cpu_seconds for seat in everyone)
    )


def _ask_all(seats: Sequence[Seat], *asked: object) -> None:
    """Ask everyone at once; return when the last one has answered."""
    with ThreadPoolExecutor(len(seats)) as pool:
        list(pool.map(lambda seat: seat.ask(*asked), seats))
