"""A node's home: the folder with its key, its settings, its genesis document and everything it keeps."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from lc_node.adapters.keystore import FileKeystore, ScryptCost, is_encrypted, load_keystore
from lc_node.adapters.private_files import read_private, write_private
from lc_node.chain.addresses import decode_address, encode_address
from lc_node.chain.beacon import LinkChain
from lc_node.chain.codec import encode
from lc_node.chain.errors import LearningChainError
from lc_node.chain.genesis import GENESIS_DECODER, Genesis, chain_id, initial_state
from lc_node.chain.types import ChainId, Digest, PublicKey
from lc_node.ports.keystore import Keystore
from lc_node.ports.transport import TransportKey
from lc_node.runtime.config import Config, read_config
from lc_node.runtime.config_file import DEFAULT_CONFIG_TEXT

_Hex32 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class GenesisMissing(LearningChainError):
    """The home has no genesis document, so no chain to follow."""

    def __init__(self, path: Path) -> None:
        """Name the file that was looked for."""
        super().__init__(
            f"{path} does not exist; join a graph by a line of `lc-node invite` (`lc-node run --join LINE`), "
            "found one with the machines in this room (`lc-node run --graph NAME`), or follow a genesis file "
            "(`lc-node genesis use FILE`)."
        )
        self.path = path


class GenesisTaken(LearningChainError):
    """The home follows a chain already."""

    def __init__(self, path: Path) -> None:
        """Name the file that is in the way."""
        super().__init__(f"{path} names another chain; give each chain its own --home.")
        self.path = path


class BadIdentityFile(LearningChainError):
    """A file is not the public identity that ``lc-node init`` writes."""

    def __init__(self, path: Path, why: str) -> None:
        """Name the file and what is wrong."""
        super().__init__(f"{path} is not an identity file ({why}); see `lc-node key show --json`.")
        self.path = path


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a node tells others about itself before they are connected; nothing of it is secret."""

    address: str
    transport_key: _Hex32
    link: _Hex32
    """The top of its beacon chain, which a genesis document commits to."""

    @property
    def key(self) -> PublicKey:
        """The account's public key."""
        return decode_address(self.address)


@dataclass(frozen=True, slots=True)
class Home:
    """The places in a node's home, and how its parts are read and made."""

    path: Path

    @property
    def key_path(self) -> Path:
        """The key file."""
        return self.path / "key.json"

    @property
    def identity_path(self) -> Path:
        """The public half of the key, for others."""
        return self.path / "identity.json"

    @property
    def links_path(self) -> Path:
        """The kept links of the beacon chain, as secret as the key."""
        return self.path / "links.bin"

    @property
    def config_path(self) -> Path:
        """The settings."""
        return self.path / "config.toml"

    @property
    def policy_path(self) -> Path:
        """The policy as set while running; it replaces the settings' ``[work]``."""
        return self.path / "policy.json"

    @property
    def genesis_path(self) -> Path:
        """The genesis document, canonically encoded."""
        return self.path / "genesis.bin"

    @property
    def chain_path(self) -> Path:
        """The chain store."""
        return self.path / "chain.db"

    @property
    def snapshot_path(self) -> Path:
        """What has come of a state that is being fetched."""
        return self.path / "snapshot.db"

    @property
    def votes_path(self) -> Path:
        """The vote store; its lock lies beside it."""
        return self.path / "votes.db"

    @property
    def peers_path(self) -> Path:
        """The nodes that this one knows of."""
        return self.path / "peers.bin"

    @property
    def work_path(self) -> Path:
        """The work store."""
        return self.path / "work.db"

    @property
    def blobs_path(self) -> Path:
        """Images and models."""
        return self.path / "blobs"

    @property
    def images_path(self) -> Path:
        """Unpacked images."""
        return self.path / "images"

    @property
    def image_names_path(self) -> Path:
        """The images that the owner has brought, and what they are called."""
        return self.path / "image-names.json"

    @property
    def outputs_path(self) -> Path:
        """Disks of running jobs, each in a file."""
        return self.path / "outputs"

    @property
    def jobs_path(self) -> Path:
        """Folders of running jobs."""
        return self.path / "jobs"

    def create(
        self,
        passphrase: str | None,
        cost: ScryptCost | None = None,
        *,
        config_text: str = DEFAULT_CONFIG_TEXT,
    ) -> Identity:
        """Make a key, the identity file and, unless there is one, config.toml.

        Raises:
            KeyExists: there is a key already; nothing is changed.
            KeyUnsafe: the folder is in use and open to others.
        """
        keystore = FileKeystore.generate()
        keystore.save(self.key_path, passphrase, cost)
        if not self.config_path.exists():
            self.config_path.write_text(config_text, encoding="utf-8")
        return self.publish_identity(keystore)

    def keystore(self, passphrase: str | None) -> Keystore:
        """Return the key.

        Raises:
            KeyMissing, KeyUnsafe, KeyMalformed, PassphraseMissing, PassphraseWrong: see each.
        """
        return load_keystore(self.key_path, passphrase)

    def is_encrypted(self) -> bool:
        """Tell whether the key takes a passphrase.

        Raises:
            KeyMissing, KeyMalformed: there is none, or it is damaged.
        """
        return is_encrypted(self.key_path)

    def publish_identity(self, keystore: Keystore) -> Identity:
        """Write and return the identity."""
        identity = Identity(
            address=encode_address(keystore.public_key),
            transport_key=TransportKey(keystore.transport_public).hex(),
            link=self.links(keystore).commitment.hex(),
        )
        document = msgspec.json.format(msgspec.json.encode(identity), indent=2)
        self.identity_path.write_bytes(document + b"\n")
        return identity

    def links(self, keystore: Keystore) -> LinkChain:
        """Return the beacon chain; computed once, which takes about a second, and kept.

        Raises:
            KeyUnsafe: the home is open to others.
        """
        seed = Digest(keystore.beacon_seed)
        data = read_private(self.links_path)
        links = None if data is None else LinkChain.load(seed, data)
        if links is None:
            links = LinkChain(seed)
            self.links_path.unlink(missing_ok=True)
            write_private(self.links_path, links.dump(), taken=FileExistsError(self.links_path))
        return links

    def identity(self) -> Identity:
        """Return the identity as it was published.

        Raises:
            BadIdentityFile: missing or damaged.
        """
        return read_identity(self.identity_path)

    def config(self) -> Config:
        """Return the settings.

        Raises:
            BadConfig: they cannot be used; the message names the key.
        """
        return read_config(self.config_path)

    def genesis(self) -> Genesis:
        """Return the chain's first document.

        Raises:
            GenesisMissing: there is none.
            MalformedBytes, InvalidGenesis: it is damaged, or no chain could begin with it.
        """
        try:
            data = self.genesis_path.read_bytes()
        except FileNotFoundError as error:
            raise GenesisMissing(self.genesis_path) from error
        return decode_genesis(data)

    def use_genesis(self, genesis: Genesis) -> ChainId:
        """Follow the chain that begins with this document; the same one again changes nothing.

        Raises:
            GenesisTaken: the home follows another chain.
        """
        data = encode(genesis)
        if self.genesis_path.exists() and self.genesis_path.read_bytes() != data:
            raise GenesisTaken(self.genesis_path)
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.genesis_path.write_bytes(data)
        return chain_id(genesis)


def decode_genesis(data: bytes) -> Genesis:
    """Return a genesis document that a chain can begin with.

    Raises:
        MalformedBytes, InvalidGenesis: it is damaged, or no chain could begin with it.
    """
    genesis = GENESIS_DECODER.decode(data)
    initial_state(genesis)
    return genesis


def read_identity(path: Path) -> Identity:
    """Return the identity in a file.

    Raises:
        BadIdentityFile: missing, damaged, or its address is mistyped.
    """
    try:
        identity = msgspec.json.decode(path.read_bytes(), type=Identity)
        decode_address(identity.address)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, LearningChainError) as error:
        raise BadIdentityFile(path, str(error)) from error
    return identity
