"""A light client: proves balances, jobs and results with no node of its own (docs/LIGHT.md).

It begins with something that is trusted, asks nodes over their peer ports, believes only what is proved,
and keeps the newest of it in a small file to go on from.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from lc_node.api import schema
from lc_node.api.endpoint import default_home
from lc_node.api.errors import ApiError, BadCall
from lc_node.api.light_beginning import Keep, from_checkpoint, from_genesis, from_servers
from lc_node.api.light_errors import NoBeginning, NoServer, NotProved, NotSettled, UnknownJob
from lc_node.api.light_facts import account_fact, job_fact, result_fact
from lc_node.api.light_link import ServerFailed
from lc_node.api.light_places import Places, Server, parse_places
from lc_node.api.light_schema import (
    Freshness,
    Proof,
    ProvenAccount,
    ProvenChain,
    ProvenJob,
    ProvenResult,
)
from lc_node.api.light_track import Track
from lc_node.chain.addresses import BadAddress, decode_address
from lc_node.chain.crypto import verify
from lc_node.chain.errors import LearningChainError
from lc_node.chain.job import Job
from lc_node.chain.types import Digest, JobId, Millis
from lc_node.consensus.checkpoint import Checkpoint, checkpoint_of, trusted_from
from lc_node.consensus.light import (
    Trusted,
    account_in,
    account_key,
    job_in,
    job_key,
    validate_agreement,
)
from lc_node.consensus.light_errors import Certified, Contradiction, TrustExpired

__all__ = [
    "ApiError",
    "LightClient",
    "ProvenAccount",
    "ProvenChain",
    "ProvenJob",
    "ProvenResult",
    "connect",
]

T = TypeVar("T")

_JOB_DIGITS: Final = 64
_TRIES: Final = 3
_RETRY_SECONDS: Final = 0.5
"""Another server may be a block behind the one that answered."""


def connect(
    servers: Sequence[str],
    *,
    genesis: Path | None = None,
    checkpoint: Path | None = None,
    folder: Path | None = None,
    trust_old: bool = False,
) -> "LightClient":
    """Return a client that asks these nodes.

    Args:
        servers: nodes as ``tcp://KEY@HOST:PORT``, or join lines (``tcp://HOST:PORT`` will do for one that
            was named before); the first that answers is believed as far as it proves, the others are
            compared with it.
        genesis: the graph's genesis file, to begin with.
        checkpoint: somebody's checkpoint, to begin with.
        folder: where what is proved is kept; by default ``light`` in the home of a node.
        trust_old: begin although bonds can be withdrawn since.

    Raises:
        BadServer: a text names no node.
        NoBeginning: there is nothing to begin with.
        NotProved: it contradicts itself.
        NoServer: the genesis document that a join line names cannot be had from its nodes.
    """
    keep = Keep(folder or default_home(os.environ) / "light")
    places = parse_places(servers, keep.keys())
    named = (
        from_genesis(genesis) if genesis else from_checkpoint(checkpoint) if checkpoint else None
    )
    begin = _beginning(keep, named, places)
    keep.remember(places.servers)
    return LightClient(places.servers, begin, keep, trust_old=trust_old)


class LightClient:
    """Asks nodes, and says what they have proved; for one thread."""

    def __init__(
        self,
        servers: Sequence[Server],
        begin: Checkpoint,
        keep: Keep,
        *,
        trust_old: bool = False,
        now: Callable[[], Millis] = lambda: Millis(time.time_ns() // 1_000_000),
    ) -> None:
        """Trust ``begin``; see ``connect``.

        Raises:
            NotProved: it contradicts itself.
        """
        try:
            mind = trusted_from(begin, verify)
        except LearningChainError as error:
            raise _not_proved(error) from error
        self._tracks = [Track(server, mind) for server in servers]
        self._keep = keep
        self._now = now
        self._trust_old = trust_old
        self._is_trust_old = trust_old and _is_expired(mind, now())

    def chain(self) -> ProvenChain:
        """Return the newest final block.

        Raises:
            NoServer: nobody answers.
            NotProved: what is said is not proved, servers contradict each other, or what is trusted is
                too old; the code and ``__cause__`` say which.
        """
        track, _ = self._asked(Track.newest)
        return ProvenChain(proof=self._proof(track))

    def balance(self, address: str) -> ProvenAccount:
        """Return an account; one that the chain has never seen owns nothing.

        Raises:
            BadCall: it is no address.
            NoServer, NotProved: see ``chain``.
        """
        try:
            key = decode_address(address)
        except BadAddress as error:
            raise BadCall("BadAddress", str(error)) from error
        track, entry = self._asked(lambda one: one.entry(account_key(key)))
        return account_fact(key, account_in(entry), self._proof(track))

    def job(self, job: str) -> ProvenJob:
        """Return a job of which the whole id is given.

        Raises:
            BadCall: it is no job id.
            UnknownJob: the state holds none of this id, or no longer.
            NoServer, NotProved: see ``chain``.
        """
        found, proof = self._job(job)
        return job_fact(found, proof)

    def result(self, job: str) -> ProvenResult:
        """Return who won a job, and the model's root.

        Raises:
            NotSettled: the job has no result, or none yet.
            BadCall, UnknownJob, NoServer, NotProved: see ``job``.
        """
        found, proof = self._job(job)
        result = result_fact(found, proof)
        if result is None:
            raise NotSettled(job, found.phase.name.lower())
        return result

    def checkpoint(self) -> Checkpoint:
        """Return what others may begin with, if they trust you."""
        best = max(self._tracks, key=lambda track: track.mind.newest.header.height)
        return checkpoint_of(best.mind)

    def _job(self, text: str) -> tuple[Job, Proof]:
        job = _job_id(text)
        track, entry = self._asked(lambda one: one.entry(job_key(job)))
        found, proof = job_in(entry), self._proof(track)
        if found is None:
            raise UnknownJob(text, proof.height)
        return found, proof

    def _asked(self, ask: Callable[[Track], T]) -> tuple[Track, T]:
        """Return the first proved answer and who gave it."""
        failures: list[tuple[Track, LearningChainError]] = []
        for track in self._tracks:
            try:
                self._validate_age(track)
                answer = ask(track)
            except Contradiction as error:
                raise self._contradicted(error) from error
            except LearningChainError as error:
                failures.append((track, error))
            else:
                return track, answer
        for track, cause in failures:
            if not isinstance(cause, ServerFailed):
                raise _not_proved(cause, track.server.name) from cause
        raise NoServer("; ".join(str(cause) for _, cause in failures) or "none was named")

    def _contradicted(self, error: Contradiction) -> NotProved:
        """Keep what proves that validators lied, and say where it is."""
        path = self._keep.put_contradiction(error)
        return NotProved(type(error).__name__, f"{error}. They are kept in {path}.")

    def _validate_age(self, track: Track) -> None:
        if not self._trust_old:
            track.mind.validate_age(self._now())

    def _proof(self, track: Track) -> Proof:
        """Compare with the other servers, keep what is proved, and say where that stands."""
        agreeing = sum(self._agrees(other, track) for other in self._tracks if other is not track)
        self._keep.put(checkpoint_of(track.mind))
        header, setting = track.mind.newest.header, track.mind.setting
        return Proof(
            chain_id=schema.Digest(setting.chain_id.hex()),
            height=header.height,
            time=schema.Millis(header.time),
            epoch=setting.epoch,
            validators=len(setting.validators),
            freshness=Freshness(track.mind.freshness(self._now()).value),
            server=track.server.name,
            agreeing=agreeing,
            servers=len(self._tracks),
            is_trust_old=self._is_trust_old,
        )

    def _agrees(self, other: Track, first: Track) -> bool:
        """Return whether another server has the same block final; False if it does not say.

        Raises:
            NotProved: it has proved another one.
        """
        is_same = True
        try:
            self._validate_age(other)
            self._compare(first, other)
        except Contradiction as error:
            raise self._contradicted(error) from error
        except LearningChainError:
            is_same = False
        return is_same

    def _compare(self, first: Track, other: Track) -> None:
        newest = first.mind.newest
        try:
            header = _patiently(lambda: other.header(newest.header.height))
        finally:
            # Also where it does not know that height it may have ended an epoch otherwise.
            validate_agreement(first.mind.known(), other.mind.known())
        certificate = other.mind.newest.certificate
        validate_agreement((newest,), (Certified(header=header, certificate=certificate),))


def _beginning(keep: Keep, named: Checkpoint | None, places: Places) -> Checkpoint:
    """Return what was named, or what was kept of the same chain if that is newer."""
    if named is None and places.chain_id is None:
        return keep.only()
    if named is None:
        assert places.chain_id is not None, "checked before"
        return keep.of(places.chain_id) or from_servers(places.servers, places.chain_id)
    if places.chain_id not in {None, named.chain_id}:
        raise NoBeginning("the join line is of another chain than what was named to begin with")
    kept = keep.of(named.chain_id)
    is_newer = kept is not None and kept.newest.header.height >= named.newest.header.height
    return kept if kept is not None and is_newer else named


def _patiently(ask: Callable[[], T]) -> T:
    """Return an answer, asked for again after a while where there is none."""
    for _ in range(_TRIES - 1):
        try:
            return ask()
        except ServerFailed:
            time.sleep(_RETRY_SECONDS)
    return ask()


def _is_expired(mind: Trusted, now: Millis) -> bool:
    try:
        mind.validate_age(now)
    except TrustExpired:
        return True
    return False


def _job_id(text: str) -> JobId:
    """Return the job that 64 hexadecimal digits name.

    Raises:
        BadCall: they are not that.
    """
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) * 2 != _JOB_DIGITS or len(text) != _JOB_DIGITS:
        message = f"{text!r} is no job id: a proof needs all of its {_JOB_DIGITS} digits."
        raise BadCall("BadJobId", message)
    return JobId(Digest(data))


def _not_proved(error: LearningChainError, server: str = "") -> NotProved:
    text = str(error)
    return NotProved(type(error).__name__, f"{server}: {text}" if server else text)
