"""Every constant of the protocol, named with its unit, in two presets."""

from typing import Annotated, Final

import msgspec

from lc_node.chain.codec import Record
from lc_node.chain.transactions import Tolerance
from lc_node.chain.types import (
    ByteCount,
    MicroCredits,
    MillisSpan,
    MilliTokens,
    NanoLoss,
    PartsPerMillion,
    Seconds,
)

CREDIT: Final = 1_000_000
"""One credit in micro-credits."""

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
"""A plain number of things, small enough for any arithmetic."""


class ProtocolParams(Record, kw_only=True):
    """What all nodes of one chain agree on; part of the genesis document, so of the chain id."""

    # Who may take part.
    is_private: bool = False
    """Nodes speak only with those whom the genesis document names, who have a bond, or who were invited by one of them."""

    # Blocks (consensus.md).
    block_bytes_max: ByteCount = ByteCount(256 * 1024)
    block_transactions_max: Count = 1_000
    deadlines_per_block: Count = 64
    """Jobs that one block moves on; the rest stay due."""
    block_pause_ms: MillisSpan = MillisSpan(100)
    """With work at hand a leader waits this long after the parent's time."""
    heartbeat_ms: MillisSpan = MillisSpan(10 * SECOND_MS)
    """Without work a leader waits this long."""
    network_delay_ms: MillisSpan = MillisSpan(300)
    """The delay between two nodes that timeouts reckon with (the paper's delta)."""
    clock_drift_ms: MillisSpan
    """How far a block's time may lie ahead of a voter's clock."""

    # Epochs and bonds.
    epoch_heights: Count = 0
    """Heights of an epoch; 0: epoch 0 has no last height."""
    validators_max: Count = 100
    validators_ready_min: Count = 4
    """With fewer that are ready, the set of the epoch before goes on."""
    validator_bond_min: MicroCredits
    """Who has less at stake is not taken into a set."""
    unbonding_ms: MillisSpan
    unbonding_epochs: Count = 2
    """Unbonding credits stay slashable until both spans have passed."""
    unbondings_max: Count = 16
    """Withdrawals that one account may have under way."""

    # Accounts.
    pending_per_account_max: Count = 16
    mempool_transactions_max: Count = 5_000
    mempool_bytes_max: ByteCount = ByteCount(32 * 1024 * 1024)
    tokens_max: MilliTokens
    """What a full token bucket holds; a transaction takes 1,000."""
    tokens_per_second: MilliTokens
    """Refill of an account with at least ``balance_min``."""
    tokens_per_second_per_bonded_credit: MilliTokens
    """Refill on top, a whole credit of epoch bond."""
    balance_min: MicroCredits
    """Accounts with less, and no bond, do not refill."""

    # Jobs.
    bounty_min: MicroCredits
    expiry_min_ms: MillisSpan
    expiry_max_ms: MillisSpan
    open_window_ms: MillisSpan
    commit_window_ms: MillisSpan
    """On top of ``commit_evaluations`` runs and the transfer of image and model."""
    commit_evaluations: Count = 3
    bytes_per_second: ByteCount = ByteCount(2_000_000)
    """The rate at which a committee member is assumed to fetch image and model."""
    reveal_window_ms: MillisSpan
    appeal_window_ms: MillisSpan
    """0: no appeals."""
    hidden_window_ms: MillisSpan
    """The submitter's window to reveal hidden test groups."""
    history_kept_ms: MillisSpan
    """A settled job is pruned this long after."""
    unfought_kept_ms: MillisSpan = MillisSpan(10 * MINUTE_MS)
    """A job that ended without a bid cost its submitter nothing: it is pruned this long after."""
    tolerance_min: Tolerance = Tolerance(absolute=NanoLoss(1_000), relative=PartsPerMillion(1))
    run_seconds_max: Seconds = Seconds(30 * 24 * 3_600)
    """The longest trial or evaluation that a job may ask for."""
    artifact_bytes_max: ByteCount = ByteCount(10**12)
    """The largest image, or model, that a job may name."""

    # Fees: u = fee_base + fee_per_second x evaluate_seconds + fee_per_megabyte x megabytes.
    fee_base: MicroCredits
    fee_per_second: MicroCredits
    fee_per_megabyte: MicroCredits
    """A megabyte is 1,000,000 bytes of image and model, rounded up."""
    fee_units: Count = 3
    fee_units_newcomers: Count = 15
    """Of a job that is open to newcomers."""
    appeal_units: Count = 3
    """An appeal's bond is this many u for each seat of the next size."""

    # Bids.
    finalists_max: Count = 8
    reserves_max: Count = 56
    reserve_rounds_max: Count = 3
    newcomer_finalists_max: Count = 4
    newcomer_stamp_bits: Count
    """Leading zero bits of a hashcash stamp."""
    bid_bond_min: MicroCredits
    bid_bond_ppm: PartsPerMillion = PartsPerMillion(300_000)
    """Of the bounty."""

    # Committees and verdicts.
    committee_sizes: tuple[Count, ...] = (3, 7, 15)
    verifier_bond_min: MicroCredits
    strong_pool_min: Count = 3
    strong_losses_min: Count = 8
    """A shorter loss vector caps the label at weak."""
    gross_tolerances: Count = 5
    """A loss off by more than this many tolerances is grossly wrong."""
    gross_reveals_min: Count = 3
    gross_seats_min: Count = 7
    """A ban needs this many matching refuting reveals, from this many seats or the whole pool."""
    silent_slash_ppm: PartsPerMillion = PartsPerMillion(50_000)
    """Of a verifier's bond, for neither revealing nor declining."""
    wrong_slash_ppm: PartsPerMillion = PartsPerMillion(500_000)
    """Of a verifier's bond, for losses grossly off the reference."""
    declines_free: Count = 1
    declines_of: Count = 10
    """``declines_free`` of ``declines_of`` draws of an epoch may be declined without penalty."""
    undecided_burn_ppm: PartsPerMillion = PartsPerMillion(300_000)
    """Of the bounty, where an evaluation answers at random."""
    hidden_groups_min: Count = 30
    hidden_bids_max: Count = 5
    """Opened bids that are evaluated on hidden groups."""

    # Issuance.
    issue_per_hour: MicroCredits
    epoch_ms_max: MillisSpan = MillisSpan(DAY_MS)
    """An epoch's elapsed time is capped at this when its issuance is reckoned."""


DEVNET: Final = ProtocolParams(
    clock_drift_ms=MillisSpan(500),
    epoch_heights=600,
    validator_bond_min=MicroCredits(10 * CREDIT),
    unbonding_ms=MillisSpan(MINUTE_MS),
    tokens_max=MilliTokens(200_000),
    tokens_per_second=MilliTokens(50_000),
    tokens_per_second_per_bonded_credit=MilliTokens(100),
    balance_min=MicroCredits(CREDIT // 10),
    bounty_min=MicroCredits(1 * CREDIT),
    expiry_min_ms=MillisSpan(20 * SECOND_MS),
    expiry_max_ms=MillisSpan(7 * DAY_MS),
    open_window_ms=MillisSpan(5 * SECOND_MS),
    commit_window_ms=MillisSpan(10 * SECOND_MS),
    reveal_window_ms=MillisSpan(5 * SECOND_MS),
    appeal_window_ms=MillisSpan(0),
    hidden_window_ms=MillisSpan(5 * SECOND_MS),
    history_kept_ms=MillisSpan(HOUR_MS),
    fee_base=MicroCredits(CREDIT // 10),
    fee_per_second=MicroCredits(1_000),
    fee_per_megabyte=MicroCredits(100),
    newcomer_stamp_bits=12,
    bid_bond_min=MicroCredits(1 * CREDIT),
    verifier_bond_min=MicroCredits(10 * CREDIT),
    issue_per_hour=MicroCredits(100 * CREDIT),
)
"""For trying things out: short windows, small bonds."""

MAINNET: Final = ProtocolParams(
    clock_drift_ms=MillisSpan(2 * SECOND_MS),
    epoch_heights=600,
    validator_bond_min=MicroCredits(1_000 * CREDIT),
    unbonding_ms=MillisSpan(14 * DAY_MS),
    tokens_max=MilliTokens(60_000),
    tokens_per_second=MilliTokens(1_000),
    tokens_per_second_per_bonded_credit=MilliTokens(10),
    balance_min=MicroCredits(1 * CREDIT),
    bounty_min=MicroCredits(10 * CREDIT),
    expiry_min_ms=MillisSpan(5 * MINUTE_MS),
    expiry_max_ms=MillisSpan(30 * DAY_MS),
    open_window_ms=MillisSpan(60 * SECOND_MS),
    commit_window_ms=MillisSpan(60 * SECOND_MS),
    reveal_window_ms=MillisSpan(30 * SECOND_MS),
    appeal_window_ms=MillisSpan(
        0
    ),  # until there are appeals: nobody should wait for what cannot come
    hidden_window_ms=MillisSpan(60 * SECOND_MS),
    history_kept_ms=MillisSpan(7 * DAY_MS),
    fee_base=MicroCredits(1 * CREDIT),
    fee_per_second=MicroCredits(10_000),
    fee_per_megabyte=MicroCredits(1_000),
    newcomer_stamp_bits=26,
    bid_bond_min=MicroCredits(5 * CREDIT),
    verifier_bond_min=MicroCredits(100 * CREDIT),
    issue_per_hour=MicroCredits(100 * CREDIT),
)
"""For a network that is meant to last."""
