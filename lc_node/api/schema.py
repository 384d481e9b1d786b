"""What a node tells its owner: the records of the API, which know nothing of the node's inside.

They travel as MessagePack maps: a field added later is ignored by an older reader and has a default for
a newer one, so that a notebook and a node of neighbouring versions understand each other.
Credits are integers of 1e-6, losses integers of 1e-9 (lower is better), times Unix milliseconds.
"""

from enum import StrEnum
from typing import Annotated, Final, NewType, dataclass_transform

import msgspec

API_VERSION: Final = 1
"""Raised when an old client could no longer understand a node, or be understood."""

CHUNK_BYTES_MAX: Final = 4 * 1024 * 1024
"""The largest piece of a blob in one call."""

PREDICT_INPUTS_BYTES_MAX: Final = 64 * 1024 * 1024
"""The most data of one prediction."""

_Hex64 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_Unsigned = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

JobId = NewType("JobId", _Hex64)
"""Names a job: 64 hexadecimal digits."""

Digest = NewType("Digest", _Hex64)
"""Names a blob by its content: 64 hexadecimal digits, without a prefix."""

Address = NewType("Address", str)
"""An account: ``lc1...``."""

MicroCredits = NewType("MicroCredits", _Unsigned)
"""Credits, in millionths."""

NanoLoss = NewType("NanoLoss", int)
"""A loss, in units of 1e-9."""

Millis = NewType("Millis", _Unsigned)
"""A moment, in milliseconds since the Unix epoch."""

Sequence = NewType("Sequence", _Unsigned)
"""The place of an event in one life of a node, from 1."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every record of the API: immutable, encoded as a map."""


class Phase(StrEnum):
    """Where a job stands."""

    OPEN = "open"
    OPENING = "opening"
    COMMIT = "commit"
    REVEAL = "reveal"
    APPEAL = "appeal"
    SETTLED = "settled"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen to the job."""
        return self in {Phase.SETTLED, Phase.REFUNDED, Phase.CANCELLED}


class SyncState(StrEnum):
    """How a node's chain relates to the network's."""

    ALONE = "alone"
    """No peer is connected."""
    CATCHING_UP = "catching_up"
    FOLLOWING = "following"
    HALTED = "halted"
    """Peers are connected, and yet nothing was finalised for a while."""


class Naming(StrEnum):
    """How a blob's name follows from its content."""

    SHA256 = "sha256"
    CHUNKS = "chunks"


class ModelFormat(StrEnum):
    """How a model is written to a file; a pickle can run code when it is loaded."""

    SKOPS = "skops"
    NPZ = "npz"
    SAFETENSORS = "safetensors"
    ONNX = "onnx"
    RAW = "raw"
    PICKLE = "pickle"


class NodeVersion(Part):
    """Who answers, and in which language."""

    api: int
    software: str
    chain_id: Digest
    address: Address


class SandboxState(Part):
    """What isolates strangers' code on this machine, as its canary found."""

    engine: str
    """Empty when no sandbox works here."""
    version: str
    enforced: tuple[str, ...]
    problem: str = ""
    """Why there is none, and the remedy."""
    gpus: int = 0
    """How many GPUs there are for jobs; how many are offered, the policy says."""
    gpu_problem: str = ""
    """Why there are none."""


class Activity(Part):
    """Something the node computes at the moment."""

    job: JobId
    title: str
    kind: str
    """``train``, ``evaluate`` or ``check``."""
    step: str
    """What it does now, for people: ``pulling 42 %``, ``trial 7``."""
    since: Millis
    trials: int = 0
    best_loss: NanoLoss | None = None


class Level(StrEnum):
    """How bad a finding is."""

    TROUBLE = "trouble"
    """The node does not do what it is there for."""
    WARNING = "warning"
    """It soon may not."""
    NOTE = "note"
    """Something takes its time, or is amiss elsewhere."""


class Finding(Part):
    """Why the node is behind, or may be, and what to do about it."""

    code: str
    """A stable name: ``no_quorum``, ``syncing``, ``clock_off`` ..."""
    level: Level
    text: str
    remedy: str = ""
    """Empty: it passes by itself."""


class Status(Part):
    """The node at a glance."""

    address: Address
    chain_id: Digest
    software: str
    height: int
    block_time: Millis
    clock: Millis
    peers: int
    sync: SyncState
    network_height: int
    """The highest height that a peer has shown."""
    balance: MicroCredits
    bonded: MicroCredits
    unbonding: MicroCredits
    is_validator: bool
    is_banned: bool
    is_working: bool
    """Whether the node takes jobs."""
    sandbox: SandboxState
    activities: tuple[Activity, ...]
    jobs_open: int
    findings: tuple[Finding, ...] = ()
    """What keeps the node behind, the worst first; empty if all is well."""
    blocks_from: int = 1
    """From which height on blocks are kept; above 1 after a snapshot, or if the node prunes."""
    no_jobs_now: str = ""
    """Why no job is taken at the moment, whichever it is; empty if one would be."""


class Peer(Part):
    """A node that is connected, or that this one tries to reach."""

    address: Address
    endpoint: str
    height: int
    is_validator: bool
    is_outbound: bool
    since: Millis
    latency_ms: int | None
    software: str
    """Empty for a connected node; else why there is no connection."""
    ahead: int = 0
    """Blocks that it has shown beyond ours; below zero it is behind us."""
    heard: Millis | None = None
    """When it last said anything."""
    remedy: str = ""
    """What to do about a node that is not connected."""
    known_from: str = ""
    """``listed``, ``seed``, ``multicast``, ``record`` or ``dialed in``."""
    score: int = 0
    """Points of misbehaviour; at 1,000 it is banned for ten minutes."""


class CreditChange(Part):
    """A change of the own balance, and what it was for."""

    height: int
    time: Millis
    amount: int
    """Micro-credits, negative where they left."""
    code: str
    """A stable name of the cause: ``bounty``, ``verifier_pay``, ``issuance``, ``job_posted`` ..."""
    text: str
    job: JobId | None = None


class Wallet(Part):
    """The own credits, and the latest changes, newest first."""

    address: Address
    balance: MicroCredits
    bonded: MicroCredits
    unbonding: MicroCredits
    escrowed: MicroCredits
    """Bounties and fees of the own open jobs, and bonds of the own bids."""
    changes: tuple[CreditChange, ...]


class Account(Part):
    """What the chain knows of anybody's account."""

    address: Address
    balance: MicroCredits
    bonded: MicroCredits
    unbonding: MicroCredits
    is_validator: bool
    is_banned: bool


class Resources(Part):
    """What one run of a job may use."""

    millicpus: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1000
    memory_bytes: _Unsigned = 2 * 1024**3
    disk_bytes: _Unsigned = 1024**3
    gpus: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0


class Event(Part):
    """One change of a job or of this node; the only kind of event there is."""

    time: Millis
    code: str
    """A stable name: ``posted``, ``bid``, ``opened``, ``phase``, ``verdict``, ``settled``, ``training`` ..."""
    text: str
    """One sentence for people."""
    height: int | None = None
    """The block that brought it; None for what happened on this machine alone."""
    job: JobId | None = None
    phase: Phase | None = None
    account: Address | None = None
    loss: NanoLoss | None = None
    amount: int | None = None
    """Micro-credits, where the event is about some."""
    sequence: Sequence = Sequence(0)
    """Given by the door when it publishes; 0 in a job's story."""


class Place(Part):
    """Where a reader stands in the stream of events."""

    life: str = ""
    """Changes when the node restarts: sequences of another life mean nothing."""
    sequence: Sequence = Sequence(0)


GAP: Final = "gap"
"""The code of an event that a reader makes for itself: some were missed, read the story again."""


class EventBatch(Part):
    """Events after a place, oldest first."""

    latest: Place
    is_complete: bool
    """False: some are forgotten already, or the life is another; ask for the job's story again."""
    time: Millis
    events: tuple[Event, ...]


class Policy(Part):
    """Which jobs this node takes."""

    work: bool
    bounty_min: MicroCredits
    time_left_min_seconds: int
    trial_seconds_max: int
    jobs_at_once: int
    image_bytes_max: int
    offered: Resources
    """What all jobs together may use of this machine."""
    newcomers: bool
    """Whether to stamp bids where no bond can be paid."""
    allow: tuple[Address, ...] = ()
    """The submitters whose jobs are taken; empty: everybody's."""
    deny: tuple[Address, ...] = ()
    """The submitters whose jobs are never taken."""
    hours: tuple[str, ...] = ()
    """When training begins, in the machine's time: ``22:00-07:30``; empty: at any time."""
    pause_on_battery: bool = False
    others_percent_max: Annotated[int, msgspec.Meta(ge=0, le=100)] = 100
    """Above this share of all processors, used by others, nothing new begins."""


class Machine(Part):
    """The load of this machine; what cannot be measured here is None."""

    cpus: int
    load_permille: int | None
    memory_bytes: int
    memory_used_bytes: int | None
    disk_free_bytes: int
    blobs_bytes: int
    blobs_bytes_max: int
    node_memory_bytes: int | None
    activities: tuple[Activity, ...]


class Receipt(Part):
    """A transaction that is final."""

    transaction: Digest
    height: int
    time: Millis


class BlobOffset(Part):
    """How much of a blob the node holds."""

    offset: int
    is_complete: bool
