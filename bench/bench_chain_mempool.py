"""chain.mempool: signed transactions that a mempool accepts per CPU second, against what others publish."""

import time
from typing import Final

from bench.bench_chain_apply import Chain, make_chain
from bench.harness import PAIRS_MIN, Measured, Target, from_samples
from lc_node.chain.errors import TransactionRefused
from lc_node.chain.genesis import initial_state
from lc_node.chain.mempool import Mempool, Source
from lc_node.chain.params import DEVNET
from lc_node.chain.transactions import TRANSACTION_DECODER
from lc_node.chain.types import Millis

CHIA_PER_SECOND: Final = 461.0
"""Chia's ``add_spend_bundle``, by its own benchmark on such a machine; it has other rules and curves."""

TARGET: Final = Target(name="chain.mempool", unit="transactions/CPU-s", limit=10.0, at_least=True)


def run() -> list[Measured]:
    """Measure."""
    chain = make_chain()
    seen = [accept_all(chain) for _ in range(PAIRS_MIN)]
    return [from_samples(TARGET, seen, [CHIA_PER_SECOND] * len(seen))]


def accept_all(chain: Chain) -> float:
    """Return transactions per CPU second of one thread, from bytes of peers to a place in the mempool."""
    state = initial_state(chain.genesis)
    mempool = Mempool(DEVNET)
    now = Millis(state.meta.time + 1)
    frames = chain.transaction_bytes
    since = time.thread_time()
    for data in frames:
        try:
            mempool.add(TRANSACTION_DECODER.decode(data), state, now, Source(data[-1:]))
        except TransactionRefused as error:
            message = f"the mempool refused one: {error}"
            raise AssertionError(message) from error
    spent = time.thread_time() - since
    assert len(mempool) == len(frames), "all were accepted"
    return len(frames) / spent
