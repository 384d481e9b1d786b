"""Looks through the certificates of several nodes for who signed what no honest validator signs."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from lc_node.adapters.sqlite_chain_reader import SqliteChainReader
from lc_node.adapters.sqlite_vote_reader import read_certificates
from lc_node.chain.addresses import encode_address
from lc_node.chain.codec import encode
from lc_node.chain.crypto import verify
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.genesis import Genesis, chain_id, genesis_header, initial_state
from lc_node.chain.records import ValidatorSet as Members
from lc_node.chain.transactions import Evidence
from lc_node.chain.types import Epoch, PublicKey
from lc_node.chain.votes import Certificate
from lc_node.consensus.accountability import convictions
from lc_node.consensus.messages import CERTIFICATE_DECODER
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.runtime.home import Home
from lc_node.runtime.ledger import decode_proof


class Culprit(msgspec.Struct, frozen=True, kw_only=True):
    """A validator that two votes convict."""

    address: str
    epoch: int
    view: int
    kinds: tuple[str, str]
    share_permille: int
    """Its share of the weight of that epoch."""
    evidence: str
    """The body of an Evidence transaction, in hex."""


def find_culprits(home: Home, others: Sequence[Path]) -> Sequence[Culprit]:
    """Return whom the certificates of a home and of other vote stores convict together.

    Raises:
        GenesisMissing: the home follows no chain.
        StorageBroken: a file is not there, or damaged.
    """
    certificates = [c for path in (home.votes_path, *others) for c in _read(path)]
    epochs = sorted({certificate.epoch for certificate in certificates})
    with SqliteChainReader(home.chain_path) as reader:
        settings = dict(_settings(home.genesis(), reader, epochs))
    found = convictions(certificates, settings)
    return [_culprit(key, Evidence(first=a, second=b), settings) for key, (a, b) in found.items()]


def _read(path: Path) -> Iterator[Certificate]:
    """Yield the certificates in a file; what is none convicts nobody."""
    for data in read_certificates(path):
        try:
            yield CERTIFICATE_DECODER.decode(data)
        except MalformedBytes:
            continue


def _settings(
    genesis: Genesis, reader: SqliteChainReader, epochs: Sequence[Epoch]
) -> Iterator[tuple[Epoch, Setting]]:
    """Yield who voted in which epoch, as this home's chain has it."""
    root = genesis_header(genesis)
    for epoch in epochs:
        members = _members(genesis, reader, epoch)
        if members is not None:
            yield (
                epoch,
                Setting(
                    chain_id=chain_id(genesis),
                    epoch=epoch,
                    validators=ValidatorSet({m.key: m.weight for m in members.members}),
                    root=root,
                    verifier=verify,
                ),
            )


def _members(genesis: Genesis, reader: SqliteChainReader, epoch: Epoch) -> Members | None:
    if epoch == 0:
        return initial_state(genesis).validators
    data = reader.epoch_at(Epoch(epoch - 1))
    return None if data is None else decode_proof(data).next_set


def _culprit(key: PublicKey, evidence: Evidence, settings: Mapping[Epoch, Setting]) -> Culprit:
    first, second = evidence.first, evidence.second
    validators = settings[first.epoch].validators
    return Culprit(
        address=encode_address(key),
        epoch=first.epoch,
        view=first.view,
        kinds=(first.kind.name, second.kind.name),
        share_permille=1_000 * validators.weight_of(key) // validators.total,
        evidence=encode(evidence).hex(),
    )
