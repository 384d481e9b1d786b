"""``lc-node culprits`` names who made two chains final, from the vote stores of nodes on both."""

import json
from pathlib import Path
from typing import Final

import msgspec
import pytest
from msgspec.structs import replace

from lc_node.adapters.sqlite_vote_store import SqliteVoteStore
from lc_node.chain.addresses import encode_address
from lc_node.chain.blocks import Header
from lc_node.chain.codec import encode
from lc_node.chain.evidence import is_equivocation
from lc_node.chain.transactions import Evidence
from lc_node.chain.types import View
from lc_node.chain.votes import NO_SUBJECT, Certificate, VoteKind
from lc_node.cli.exits import Exit
from lc_node.cli.main import run
from lc_node.consensus.certificates import assemble
from lc_node.consensus.validator_set import ValidatorSet as Voters
from lc_node.runtime.home import Home
from tests.chain.actors import ANNA, BERT, CLEO, DORA, Person
from tests.consensus.proven_chain import ProvenChain, certify, vote
from tests.runtime.test_audit import made, stored

Capture = pytest.CaptureFixture[str]
BOTH: Final = (BERT, CLEO)
"""They signed for both chains."""


def nullified(header: Header, voters: Voters, people: tuple[Person, ...]) -> Certificate:
    """Return the certificate that a view came to nothing."""
    return assemble([vote(who, VoteKind.NULLIFY, header, NO_SUBJECT) for who in people], voters)


def kept(path: Path, *certificates: Certificate) -> Path:
    """Write certificates into a vote store, and let it archive them."""
    store = SqliteVoteStore.open(path)
    for each in certificates:
        store.put_certificate(epoch=each.epoch, view=each.view, kind=each.kind, data=encode(each))
    store.put_certificate(
        epoch=certificates[0].epoch, view=View(1), kind=VoteKind.NOTARIZE, data=b"no certificate"
    )
    store.prune(epoch=certificates[0].epoch, below=View(1_000))
    store.close()
    return path


@pytest.fixture(params=[0, 1], ids=["the first epoch", "a later epoch"])
def header(request: pytest.FixtureRequest, tmp_path: Path) -> Header:
    """Return a final header of a chain that a home follows; its votes are kept there."""
    chain, home = made(), Home(tmp_path)
    home.use_genesis(chain.document)
    stored(home.chain_path, chain)
    header = next(h for h in chain.headers[1:] if h.epoch == request.param)
    kept(home.votes_path, certify(header, chain.sets[header.epoch], signers=(ANNA, *BOTH)))
    return header


def other_chain(header: Header, tmp_path: Path, *people: Person) -> Path:
    chain: ProvenChain = made()
    members = chain.sets[header.epoch].members
    voters = Voters({member.key: member.weight for member in members})
    return kept(tmp_path / "other.db", nullified(header, voters, people))


def test_who_signed_for_both_chains_is_named(
    header: Header, tmp_path: Path, capsys: Capture
) -> None:
    other = other_chain(header, tmp_path, *BOTH, DORA)

    assert run(["culprits", "--home", str(tmp_path), str(other)]) == Exit.OK
    told = capsys.readouterr().out
    named = [who for who in (ANNA, BERT, CLEO, DORA) if encode_address(who.public_key) in told]
    assert named == list(BOTH)
    assert "FINALIZE and NULLIFY" in told


def test_the_evidence_is_there_for_programs(
    header: Header, tmp_path: Path, capsys: Capture
) -> None:
    other = other_chain(header, tmp_path, *BOTH, DORA)
    run(["culprits", "--home", str(tmp_path), str(other), "--json"])

    found = json.loads(capsys.readouterr().out)
    bodies = [
        msgspec.msgpack.decode(bytes.fromhex(each["evidence"]), type=Evidence) for each in found
    ]
    assert len(bodies) == len(BOTH)
    assert all(is_equivocation(body.first, body.second) for body in bodies)


@pytest.mark.usefixtures("header")
def test_one_chain_alone_convicts_nobody(tmp_path: Path, capsys: Capture) -> None:
    assert run(["culprits", "--home", str(tmp_path)]) == Exit.OK
    assert "convict nobody" in capsys.readouterr().out


def test_of_an_epoch_that_this_chain_does_not_know_nobody_is_convicted(
    header: Header, tmp_path: Path, capsys: Capture
) -> None:
    later = replace(header, epoch=header.epoch + 9)
    other = other_chain(header, tmp_path, *BOTH, DORA)
    store = SqliteVoteStore.open(other)
    strange = certify(later, made().sets[0], signers=(ANNA, *BOTH))
    store.put_certificate(
        epoch=strange.epoch, view=strange.view, kind=strange.kind, data=encode(strange)
    )
    store.close()

    assert run(["culprits", "--home", str(tmp_path), str(other)]) == Exit.OK
    assert encode_address(ANNA.public_key) not in capsys.readouterr().out
