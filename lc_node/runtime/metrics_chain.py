"""What is measured of the chain: blocks, views, transactions, credits, and what is wrong."""

from collections import Counter
from typing import Final

from lc_node import __version__
from lc_node.chain.addresses import encode_address
from lc_node.chain.job import Phase
from lc_node.chain.validators import is_validator
from lc_node.ports.metrics import Kind
from lc_node.runtime.health import explain
from lc_node.runtime.metrics import Metric, Observed, Samples, plain


def _info(node: Observed) -> Samples:
    chain = node.ledger.root.chain_id.hex()
    yield (__version__, encode_address(node.vitals.me), chain), 1


def _findings(node: Observed) -> Samples:
    for finding in explain(node.vitals.facts()):
        yield (finding.code, finding.level.name.lower()), 1


def _since_final(node: Observed) -> float:
    facts = node.vitals.facts()
    return max(0, facts.now - facts.block_time) / 1000


def _clock_ahead(node: Observed) -> Samples:
    ahead = node.vitals.facts().clock_ahead
    if ahead is not None:
        yield (), ahead / 1000


def _behind(node: Observed) -> float:
    facts = node.vitals.facts()
    return max(0, facts.network_height - facts.height)


def _heard(node: Observed) -> float:
    facts = node.vitals.facts()
    weights = sum(voter.weight for voter in facts.voters)
    heard = sum(voter.weight for voter in facts.voters if facts.hears(voter))
    return heard / weights


def _refused(node: Observed) -> Samples:
    for reason, count in sorted(node.ledger.mempool.refusals.items()):
        yield (reason,), count


def _jobs(node: Observed) -> Samples:
    phases = Counter(job.phase for job in node.ledger.state.jobs())
    for phase in Phase:
        yield (phase.name.lower(),), phases[phase]


def _credits(node: Observed) -> Samples:
    state = node.ledger.state
    account = state.account(node.vitals.me)
    escrowed = sum(job.escrow for job in state.live_jobs() if job.submitter == node.vitals.me)
    for what, micro in (
        ("balance", account.balance),
        ("bonded", account.bond),
        ("unbonding", account.slashable - account.bond),
        ("escrowed", escrowed),
    ):
        yield (what,), micro / 1_000_000


CHAIN: Final = (
    Metric(
        name="lc_node_info",
        meaning="Always 1; says who this is, on which chain, in which version.",
        labels=("version", "address", "chain"),
        read=_info,
    ),
    Metric(
        name="lc_finding",
        meaning="1 for each thing that `lc-node status` complains of.",
        labels=("code", "level"),
        read=_findings,
    ),
    Metric(
        name="lc_chain_height",
        meaning="Height of the last final block.",
        read=plain(lambda node: node.ledger.height),
    ),
    Metric(
        name="lc_chain_behind_blocks",
        meaning="Blocks that a connected peer has shown and this node lacks.",
        read=plain(_behind),
    ),
    Metric(
        name="lc_chain_since_final_seconds",
        meaning="Time since the last final block; an idle chain makes one every heartbeat.",
        read=plain(_since_final),
    ),
    Metric(
        name="lc_chain_blocks_total",
        meaning="Blocks that became final here since the start.",
        kind=Kind.COUNTER,
        read=plain(lambda node: node.vitals.blocks),
    ),
    Metric(
        name="lc_chain_transactions_total",
        meaning="Transactions in these blocks.",
        kind=Kind.COUNTER,
        read=plain(lambda node: node.vitals.transactions),
    ),
    Metric(
        name="lc_agreement_epoch",
        meaning="Number of the epoch.",
        read=plain(lambda node: node.agreement.core.epoch),
    ),
    Metric(
        name="lc_agreement_view",
        meaning="The view of this epoch that the node is in.",
        read=plain(lambda node: node.agreement.core.view),
    ),
    Metric(
        name="lc_agreement_skipped_views_total",
        meaning="Views that ended without a block of their own, between final blocks of one epoch.",
        kind=Kind.COUNTER,
        read=plain(lambda node: node.vitals.skipped_views),
    ),
    Metric(
        name="lc_agreement_validators",
        meaning="Validators of the epoch.",
        read=plain(lambda node: len(node.agreement.validators)),
    ),
    Metric(
        name="lc_agreement_heard_weight_ratio",
        meaning="Share of the weight that is this node, connected, or heard voting; "
        "two thirds or less make nothing final.",
        read=plain(_heard),
    ),
    Metric(
        name="lc_agreement_is_validator",
        meaning="1 if this node is a validator of the epoch.",
        read=plain(lambda node: is_validator(node.ledger.state.validators, node.vitals.me)),
    ),
    Metric(
        name="lc_agreement_store_seconds",
        meaning="How long it took to make votes and certificates durable (an fsync each).",
        kind=Kind.HISTOGRAM,
        read=plain(lambda node: node.agreement.store_seconds.spread()),
    ),
    Metric(
        name="lc_agreement_evidence_queue_length",
        meaning="Proofs of double votes that wait to be brought onto the chain.",
        read=plain(lambda node: len(node.accusing)),
    ),
    Metric(
        name="lc_clock_ahead_seconds",
        meaning="How far this machine's clock is ahead of other validators'; "
        "absent until one of them made a block.",
        read=_clock_ahead,
    ),
    Metric(
        name="lc_mempool_transactions",
        meaning="Transactions that wait for a block.",
        read=plain(lambda node: len(node.ledger.mempool)),
    ),
    Metric(
        name="lc_mempool_bytes",
        meaning="What they take.",
        read=plain(lambda node: node.ledger.mempool.bytes),
    ),
    Metric(
        name="lc_mempool_refused_total",
        meaning="Transactions that were not let in, by the rule that forbade them.",
        kind=Kind.COUNTER,
        labels=("reason",),
        read=_refused,
    ),
    Metric(
        name="lc_own_transaction_seconds",
        meaning="How long this node's own transactions took to become final.",
        kind=Kind.HISTOGRAM,
        read=plain(lambda node: node.sender.seconds.spread()),
    ),
    Metric(
        name="lc_chain_jobs",
        meaning="Jobs that the chain remembers, by phase.",
        labels=("phase",),
        read=_jobs,
    ),
    Metric(
        name="lc_credits",
        meaning="This node's own credits, by where they are.",
        labels=("where",),
        read=_credits,
    ),
)
