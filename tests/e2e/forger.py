"""A node that bids a loss of zero on a pickle which prints that loss while it is being loaded.

Run as a program, with the node's home as its argument; it ends with its stdin.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cloudpickle

from lc_node.chain.job import Job, Phase
from lc_node.chain.types import ByteCount, Digest, Millis, ModelRoot, NanoLoss, PublicKey
from lc_node.oci.chunks import chunk_digest, chunk_root
from lc_node.runtime.home import Home
from lc_node.worker.duties import (
    Action,
    AnnounceBid,
    Mine,
    Solution,
    get_own_bid,
    next_actions,
)
from tests.e2e.programs import run_until_eof

TRACE: Final = Path("/tmp/lc-forged-model-was-loaded")  # noqa: S108 - of the sandbox, if all is well
"""Made by whoever loads the forged model, where that is."""

_LINE: Final = b'{"lc":"losses","values":[0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0]}\n'
_SOURCE: Final = f"""
import os
open({str(TRACE)!r}, "w").close()
for number in range(3, 256):
    try:
        os.write(number, {_LINE!r})
    except OSError:
        continue
os._exit(0)
"""
"""The runner speaks on a descriptor that user code does not know, so all of them are written to."""


class _Forged:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return exec, (_SOURCE,)


FORGED_MODEL: Final = bytes(cloudpickle.dumps(_Forged()))
FORGED_ROOT: Final = ModelRoot(Digest(chunk_root([chunk_digest(FORGED_MODEL)])))
_BID: Final = AnnounceBid(
    solution=Solution(
        loss=NanoLoss(0), model_root=FORGED_ROOT, model_bytes=ByteCount(len(FORGED_MODEL))
    )
)


def forge(job: Job, me: PublicKey, mine: Mine, now: Millis) -> tuple[Action, ...]:
    """Return what an honest node would do, and a forged bid on every job."""
    honest = next_actions(job, me, mine, now)
    is_open = job.phase is Phase.OPEN and now < job.expiry
    if not is_open or get_own_bid(job, me) is not None or _BID in mine.under_way:
        return honest
    return (*honest, _BID)


if __name__ == "__main__":
    run_until_eof(Home(Path(sys.argv[1])), forge)
