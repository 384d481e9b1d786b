"""What a node's owner may set in config.toml; every key has a default and says what it is.

Keys are named with their units. A misspelt key is refused, never ignored.
"""

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Final, Literal, dataclass_transform

import msgspec

from lc_node.chain.addresses import decode_address
from lc_node.chain.errors import LearningChainError
from lc_node.chain.params import CREDIT
from lc_node.chain.transactions import Resources
from lc_node.chain.types import ByteCount, MicroCredits
from lc_node.oci.references import BadReference, parse_reference
from lc_node.ports.sandbox import SandboxWishes
from lc_node.ports.transport import PeerAddress, TransportKey
from lc_node.runtime.own_record import advertised
from lc_node.wire.records import ENDPOINTS_MAX
from lc_node.worker.hours import parse_hours

DEFAULT_PORT: Final = 4040

_Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
_Positive = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
_Natural = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
_UNKNOWN_KEY: Final = re.compile(r"unknown field `(\w+)`")
_LARGEST: Final = ByteCount(2**62)
BLOCKS_KEPT_MIN: Final = 2_000
"""Who is less than 1,000 blocks behind fetches blocks, not a snapshot."""
JOBS_AT_ONCE_MAX: Final = 256
LOCAL: Final = "local"
"""The executor that is this machine."""
EXECUTOR_PATTERN: Final = r"^local$|^dask://([^/\s:]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}$"
_OFFERED_MEMORY: Final = (3, 8)
"""The share of the machine's memory that is offered; evaluations may use as much once more, a quarter is the owner's."""


class BadConfig(LearningChainError):
    """config.toml cannot be used; the message names the key."""

    def __init__(self, path: Path, why: str) -> None:
        """Name the file and what is wrong in it."""
        super().__init__(f"{path}: {why}")
        self.path = path


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the sections."""


class PeerEntry(Section):
    """A node to connect to; ``lc-node key show`` prints what it needs, on the other machine."""

    address: str
    transport_key: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    host: str
    port: _Port

    def resolved(self) -> PeerAddress:
        """Return the entry as the transport takes it.

        Raises:
            BadAddress: the address is mistyped.
        """
        return PeerAddress(
            public_key=decode_address(self.address),
            transport_key=TransportKey(bytes.fromhex(self.transport_key)),
            host=self.host,
            port=self.port,
        )


class NetworkConfig(Section):
    """How this node and its peers find each other."""

    host: str = "*"
    """The interface to listen on; "*" is all of them, "127.0.0.1" this machine only."""
    port: _Port = DEFAULT_PORT
    """The port to listen on; 0 lets the system choose."""
    listen: bool = True
    """false: only dial out, as behind a NAT; validators must listen."""
    multicast: bool = True
    """true: tell machines on the same networks that this node is here, and connect to those of its graph."""
    discover: bool = True
    """false: dial the listed peers only, and tell nobody of other nodes."""
    advertise: Annotated[tuple[str, ...], msgspec.Meta(max_length=ENDPOINTS_MAX)] = ()
    """Where others reach this node, if it is not at this machine's own addresses and port."""
    data_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    """The port for data connections, by which images and models travel faster; 0 lets the system choose."""
    upload_bytes_per_second: Annotated[int, msgspec.Meta(ge=0, le=2**40)] = 0
    """What all peers together are sent of images and models; 0: as much as they ask for."""
    peers: tuple[PeerEntry, ...] = ()
    """Whom to dial, always; see the examples at the end of the file."""

    @property
    def upload(self) -> ByteCount:
        """The same as a quantity."""
        return ByteCount(self.upload_bytes_per_second)


class ConsensusConfig(Section):
    """Whether this node takes part in the agreement on blocks."""

    validate: bool = True
    """true: with enough bonded, ask in every epoch to be a validator of the next one."""


class WorkConfig(Section):
    """Which jobs this node takes, and what they may use of this machine."""

    work: bool = True
    """false: follow, validate and serve notebooks, but train and evaluate nothing."""
    bounty_min_credits: Annotated[float, msgspec.Meta(ge=0, le=1e12)] = 1.0
    """Jobs that offer less are not taken."""
    time_left_min_seconds: _Natural = 10
    """Jobs that expire sooner are not taken."""
    trial_seconds_max: _Positive = 3600
    """Jobs whose trials may take longer are not taken."""
    jobs_at_once: Annotated[int, msgspec.Meta(ge=1, le=JOBS_AT_ONCE_MAX)] = 1
    """How many jobs are trained at the same time."""
    image_bytes_max: _Positive = 20 * 2**30
    """Jobs with a larger image are not taken."""
    millicpus: _Natural = 0
    """Processor time for all jobs together, 1000 = one core; 0: all of this machine's cores."""
    memory_bytes: _Natural = 0
    """Memory for all trainings together, and once more for evaluations; 0: three eighths of this machine's."""
    disk_bytes: _Positive = 20 * 2**30
    """Disk for the outputs of all running jobs together."""
    gpus: _Natural = 0
    """GPUs for all jobs together."""
    gpu_ids: tuple[str, ...] = ()
    """Which, by what `nvidia-smi -L` calls them, or by index: ["GPU-...", "1"]; empty: any."""
    allow: tuple[str, ...] = ()
    """Addresses of the submitters whose jobs are taken; empty: everybody's."""
    deny: tuple[str, ...] = ()
    """Addresses of submitters whose jobs are never taken."""
    executor: Annotated[str, msgspec.Meta(pattern=EXECUTOR_PATTERN)] = LOCAL
    """Where trainings and evaluations run: "local", or on a Dask cluster: "dask://HOST:PORT"."""
    hours: tuple[str, ...] = ()
    """When training begins, in this machine's time, such as "22:00-07:30"; empty: at any time."""
    pause_on_battery: bool = False
    """true: begin no training and no trial while the machine runs on its battery."""
    others_percent_max: Annotated[int, msgspec.Meta(ge=0, le=100)] = 100
    """Nor while others use more than this share of all its processors; 100: whatever they use."""

    @property
    def bounty_min(self) -> MicroCredits:
        """The smallest bounty, in micro-credits."""
        return MicroCredits(round(self.bounty_min_credits * CREDIT))

    @property
    def offer(self) -> Resources:
        """What all jobs together may use, zeros replaced by what this machine has, or by all of a cluster."""
        part, whole = _OFFERED_MEMORY if self.executor == LOCAL else (1, 1)
        return Resources(
            millicpus=self.millicpus or self.machine.millicpus,
            memory_bytes=ByteCount(self.memory_bytes or part * self.machine.memory_bytes // whole),
            disk_bytes=ByteCount(self.disk_bytes),
            gpus=self.gpus,
        )

    @property
    def machine(self) -> Resources:
        """What there is to offer; a cluster's workers say themselves what they have."""
        if self.executor != LOCAL:
            return Resources(
                millicpus=1_000_000, memory_bytes=_LARGEST, disk_bytes=_LARGEST, gpus=64
            )
        return Resources(
            millicpus=1000 * (os.cpu_count() or 1),
            memory_bytes=ByteCount(_machine_memory()),
            disk_bytes=_LARGEST,
            gpus=64,
        )


class StorageConfig(Section):
    """What the node keeps on disk."""

    blobs_bytes_max: _Positive = 50_000_000_000
    """Images and models; the least recently used go first, those of running jobs never."""
    disk_reserve_bytes: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 1_000_000_000
    """What images and models leave free on the disk: chain and votes stop the node where they find no room."""
    archive: bool = False
    """true: fetch and execute every block since genesis; false: a newcomer begins with a snapshot."""
    blocks_kept: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 0
    """Blocks that are kept, 0: all that came here; fewer than 2,000 would leave those behind without help."""


class ImagesConfig(Section):
    """Registries, from which images come besides from other nodes."""

    registries: Annotated[tuple[str, ...], msgspec.Meta(max_length=256)] = (
        "docker.io",
        "ghcr.io",
        "quay.io",
    )
    """From which images of others' jobs are fetched: "HOST", "HOST:PORT", or "http://HOST:PORT" in the clear."""
    credentials: str = ""
    """A file as `docker login` writes it; empty: Docker's own of the user who runs the node."""
    credentials_for_jobs: bool = False
    """true: show them for others' jobs, too, not only for the owner's own pulls and pushes."""


class SandboxConfig(Section):
    """What isolates strangers' code."""

    engine: Literal["auto", "bubblewrap", "docker"] = "auto"
    """auto: bubblewrap if it can bound memory hard, else docker if that works, else bubblewrap as it is."""
    host: Annotated[str, msgspec.Meta(pattern=r"^(unix:///[^ ]+)?$")] = ""
    """Where docker's engine listens; empty: where DOCKER_HOST says, or at unix:///var/run/docker.sock."""
    runtime: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{0,64}$")] = ""
    """Which of the engine's runtimes; empty: its default."""

    @property
    def wishes(self) -> SandboxWishes:
        """The same as adapters take it, and as workers of a cluster are told."""
        return SandboxWishes(engine=self.engine, host=self.host, runtime=self.runtime)


class DaskConfig(Section):
    """How a Dask cluster is used, if `executor` in [work] names one."""

    cache: str = ""
    """A folder on the workers where images stay over their restarts; empty: each worker's own, which goes with it."""
    cache_bytes_max: _Positive = 20 * 2**30
    """Images in each worker's folder; unpacked they take about twice as much beside them."""
    tls_ca_file: str = ""
    """With the two below: the certificates of a cluster that encrypts; empty: as Dask's own configuration says."""
    tls_cert: str = ""
    tls_key: str = ""


class MetricsConfig(Section):
    """Where Prometheus may ask how the node fares."""

    listen: Annotated[str, msgspec.Meta(pattern=r"^$|^[^ /]+:[0-9]{1,5}$")] = ""
    """Such as "127.0.0.1:9464"; empty: nowhere. Whoever can connect there can read everything."""


class LogConfig(Section):
    """What the node says on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    """json: an object a line, with fields such as job and peer."""


class Config(Section):
    """Everything that config.toml may say."""

    network: NetworkConfig = NetworkConfig()
    consensus: ConsensusConfig = ConsensusConfig()
    work: WorkConfig = WorkConfig()
    storage: StorageConfig = StorageConfig()
    images: ImagesConfig = ImagesConfig()
    sandbox: SandboxConfig = SandboxConfig()
    dask: DaskConfig = DaskConfig()
    metrics: MetricsConfig = MetricsConfig()
    log: LogConfig = LogConfig()


def read_config(path: Path) -> Config:
    """Return what the file says, or the defaults where there is no file.

    Raises:
        BadConfig: not TOML, a key that does not exist, or a value out of range.
    """
    try:
        config = msgspec.toml.decode(path.read_bytes(), type=Config)
    except FileNotFoundError:
        return Config()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadConfig(path, _explained(str(error))) from error
    for peer in config.network.peers:
        try:
            peer.resolved()
        except LearningChainError as error:
            raise BadConfig(path, f"peer {peer.host}:{peer.port}: {error}") from error
    for text in config.network.advertise:
        try:
            advertised(text, config.network.port or DEFAULT_PORT)
        except LearningChainError as error:
            raise BadConfig(path, f"advertise: {error}") from error
    _validate_storage(path, config.storage)
    _validate_images(path, config.images)
    _validate_work(path, config.work)
    _validate_sandbox(path, config.sandbox)
    return config


def _validate_sandbox(path: Path, sandbox: SandboxConfig) -> None:
    """Refuse a runtime that would be left out silently where another sandbox is chosen."""
    if sandbox.runtime and sandbox.engine != "docker":
        raise BadConfig(path, '`runtime` is one of docker\'s: set `engine = "docker"` with it')


def _validate_work(path: Path, work: WorkConfig) -> None:
    """Refuse a mistyped address, or hours that are none."""
    try:
        for text in (*work.allow, *work.deny):
            decode_address(text)
        for text in work.hours:
            parse_hours(text)
    except LearningChainError as error:
        raise BadConfig(path, f"work: {error}") from error


def _validate_images(path: Path, images: ImagesConfig) -> None:
    """Refuse a registry that no reference could name."""
    for text in images.registries:
        host = text.rstrip("/").rpartition("://")[2]
        try:
            is_host = parse_reference(f"{host}/image").host == host.lower()
        except BadReference:
            is_host = False
        if not is_host or not text.startswith(("http://", "https://", host)):
            why = f"images.registries: {text!r} is none; write for example ghcr.io or http://10.0.0.7:5000"
            raise BadConfig(path, why)


def _validate_storage(path: Path, storage: StorageConfig) -> None:
    """Refuse to keep fewer blocks than help who is a little behind, or to prune an archive."""
    if 0 < storage.blocks_kept < BLOCKS_KEPT_MIN:
        raise BadConfig(path, f"`blocks_kept` is 0 (all) or at least {BLOCKS_KEPT_MIN}")
    if storage.archive and storage.blocks_kept:
        raise BadConfig(path, "an archive keeps every block: leave out `blocks_kept`")


def _explained(message: str) -> str:
    """Add the key that was probably meant to a message about one that does not exist."""
    found = _UNKNOWN_KEY.search(message)
    if found is None:
        return message
    sections = (
        Config,
        NetworkConfig,
        PeerEntry,
        ConsensusConfig,
        WorkConfig,
        StorageConfig,
        ImagesConfig,
        SandboxConfig,
        DaskConfig,
        MetricsConfig,
        LogConfig,
    )
    known = [name for section in sections for name in section.__struct_fields__]
    close = difflib.get_close_matches(found[1], known, n=1)
    return f"{message}; did you mean `{close[0]}`?" if close else message


def _machine_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
