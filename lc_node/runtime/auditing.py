"""Opens what an audit reads: a home's genesis and its chain, neither of which is written."""

from collections.abc import Callable

from lc_node.adapters.sqlite_chain_reader import SqliteChainReader
from lc_node.chain.types import Height
from lc_node.runtime.audit import audit
from lc_node.runtime.audit_report import Audit
from lc_node.runtime.home import Home


def audit_home(home: Home, on_block: Callable[[Height, Height], None]) -> Audit:
    """Audit a home's chain; its node may run meanwhile.

    Raises:
        GenesisMissing: the home follows no chain.
        StorageBroken: it has no chain, or its file is damaged.
        AuditFailed, ChainPruned: see ``runtime.audit``.
    """
    with SqliteChainReader(home.chain_path) as reader:
        return audit(home.genesis(), reader, on_block)
