"""The composition root: builds the adapters, ties the machines to them, and stops them in order."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Self

from lc_node.adapters.system_clock import SystemClock
from lc_node.adapters.system_surroundings import SystemSurroundings
from lc_node.adapters.zmq_doorkeeper import raise_descriptor_limit
from lc_node.adapters.zmq_transport import ZmqTransport
from lc_node.api.endpoint import Endpoint, close_endpoint, open_endpoint
from lc_node.api.schema import Event
from lc_node.api.server import ApiServer
from lc_node.chain.crypto import digest
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.transactions import Body
from lc_node.chain.types import Height, JobId, PublicKey
from lc_node.ports.keystore import Keystore
from lc_node.ports.search import Search
from lc_node.runtime.accusing import Accusing
from lc_node.runtime.agreeing import make_agreement, make_core
from lc_node.runtime.answers import Answerer, Answers
from lc_node.runtime.config import Config
from lc_node.runtime.discovery import Discovery
from lc_node.runtime.discovery_builder import build_discovery
from lc_node.runtime.doors import NodeService
from lc_node.runtime.entrance import entrance_of
from lc_node.runtime.genesis_exchange import genesis_answerer
from lc_node.runtime.history import History
from lc_node.runtime.home import Home
from lc_node.runtime.instruments import serve_metrics
from lc_node.runtime.job_service import JobService
from lc_node.runtime.joined import joined
from lc_node.runtime.ledger import Finalized
from lc_node.runtime.metrics import Observed
from lc_node.runtime.network import Network
from lc_node.runtime.office import Decide, Office
from lc_node.runtime.peers import PeerHandlers
from lc_node.runtime.policy_file import job_policy, read_policy
from lc_node.runtime.posting import Counter
from lc_node.runtime.reading import View
from lc_node.runtime.registries import registry_of
from lc_node.runtime.room import Room
from lc_node.runtime.salts import Salts
from lc_node.runtime.searches import new_search
from lc_node.runtime.sender import Sender
from lc_node.runtime.storeroom import open_stores
from lc_node.runtime.sync import Parts, Sync
from lc_node.runtime.validation import Validation
from lc_node.runtime.vitals import Vitals
from lc_node.runtime.witness import Witness
from lc_node.runtime.workplace import Workplace
from lc_node.runtime.workshop import Tools, Workshop
from lc_node.wire.topics import Topic
from lc_node.worker.duties import next_actions

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a node is started with."""

    home: Home
    keystore: Keystore
    config: Config
    genesis: Genesis
    decide: Decide = next_actions
    """The rules of conduct; an adversary of the demo has others."""


class Node:
    """One node: built by ``Node.open``, alive during ``run``."""

    def __init__(self, settings: Settings) -> None:
        """Open the stores and the sockets; nothing runs yet.

        Raises:
            LearningChainError: one subclass a cause: a home in use, a full disk, a taken port ...
        """
        self._settings = settings
        self._clock = SystemClock()
        self._me: Final = settings.keystore.public_key
        with ExitStack() as opened:
            self._open_stores(settings.home, opened)
            self._open_doors(settings.home, opened)
            # In this order they are closed if one of them cannot be opened, and at the end.
            self._opened = opened.pop_all()
        self._accusing = Accusing(self._send)
        self.ledger.hear(self._on_finalized)
        self._agreement = make_agreement(
            self.ledger,
            self._stores.votes,
            settings.keystore,
            network=self.network,
            clock=self._clock,
            on_evidence=self._accusing.accuse,
        )
        self._vitals = Vitals(
            me=self._me,
            ledger=self.ledger,
            network=self.network,
            votes=self._agreement,
            clock=self._clock,
            home=settings.home.path,
        )
        self._sender = Sender(
            signer=settings.keystore,
            chain_id=chain_id(settings.genesis),
            ledger=self.ledger,
            gossip=self.network,
            clock=self._clock,
            on_work=self._agreement.work,
        )
        self._validation = Validation(
            me=self._me,
            ledger=self.ledger,
            send=self._send,
            hang_up=self.network.ban,
            is_wanted=settings.config.consensus.validate,
        )
        self._discovery = self._make_discovery()
        network, line = settings.config.network, joined(settings.home)
        self._room = Room(
            settings.keystore, settings.genesis, network, line, self._discovery, port=self.port
        )
        self._workshop = self._make_workshop()
        self._jobs = self._make_job_service()
        self._sync = self._make_sync()
        self._server: ApiServer | None = None

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Live until cancelled, then stop: first the work, then the door, then the chain."""
        config = self._settings.config
        try:
            await self._workplace.start(is_needed=self._jobs.policy is not None)
            server = self._make_server()
            # A group ends before the one around it: jobs can still tell the door, and the door the chain.
            async with asyncio.TaskGroup() as chain, asyncio.TaskGroup() as door:
                chain.create_task(self._transport.run())
                chain.create_task(self.network.run(self._handlers()))
                chain.create_task(self._room.run())
                chain.create_task(self._agreement.run())
                chain.create_task(self._discovery.run())
                chain.create_task(serve_metrics(config.metrics.listen, self._observed()))
                chain.create_task(self._sync.run())
                door.create_task(self._serve(server))
                door.create_task(self._workplace.run())
                async with asyncio.TaskGroup() as work:
                    work.create_task(self._accusing.run())
                    work.create_task(self._validation.run())
                    work.create_task(self._jobs.run())
                    place = {"height": self.ledger.height, "port": self.port}
                    _log.info("height %(height)d, listening on port %(port)d", place, extra=place)
                    on_ready()
        finally:
            self.close()

    @property
    def port(self) -> int:
        """Where peers reach this node; 0 if it only dials out."""
        return self._transport.port

    def close(self) -> None:
        """Let go of everything; a second call changes nothing."""
        if self._server is not None:
            self._server.close()
        self._opened.close()

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Return a node that is ready to run; see ``__init__``."""
        return cls(settings)

    def _open_stores(self, home: Home, opened: ExitStack) -> None:
        settings = self._settings
        storage = settings.config.storage
        self._stores = open_stores(home, settings.genesis, settings.keystore, storage, opened)
        self.ledger = self._stores.ledger
        self._workplace = Workplace(home, settings.config, self._stores.blobs, node=self._me)

    def _open_doors(self, home: Home, opened: ExitStack) -> None:
        settings = self._settings
        raise_descriptor_limit()
        entrance = entrance_of(
            keystore=settings.keystore,
            genesis=settings.genesis,
            network=settings.config.network,
            line=joined(settings.home),
            state=lambda: self.ledger.state,
            clock=self._clock,
        )
        self._transport = ZmqTransport(entrance, self._clock)
        opened.callback(self._transport.close)
        self._transport.open()
        self.network = Network(
            me=self._me,
            transport=self._transport,
            clock=self._clock,
            blobs=self._stores.blobs,
            height=lambda: self.ledger.height,
            upload=settings.config.network.upload,
        )
        self._endpoint: Endpoint = open_endpoint(home.path, os.environ)
        opened.callback(close_endpoint, home.path, self._endpoint)

    def _make_sync(self) -> Sync:
        ledger, votes, signer = self.ledger, self._stores.votes, self._settings.keystore
        return Sync(
            Parts(
                ledger=ledger,
                network=self.network,
                agreement=self._agreement,
                renew=lambda: make_core(ledger, votes, signer),
                on_adopted=(self._validation.wake, self._jobs.wake),
                chain=self._stores.chain,
                votes=votes,
                snapshot=self._stores.snapshot,
                clock=self._clock,
                storage=self._settings.config.storage,
            )
        )

    def _make_discovery(self) -> Discovery:
        return build_discovery(
            home=self._settings.home,
            keystore=self._settings.keystore,
            config=self._settings.config.network,
            transport=self._transport,
            peers=self.network,
            ledger=self.ledger,
            clock=self._clock,
        )

    def _make_workshop(self) -> Workshop:
        return Workshop(
            Tools(
                sandbox=self._workplace.sandbox,
                images=self._workplace.images,
                blobs=self._stores.blobs,
                fetcher=self.network,
                search=_search_of,
                clock=self._clock,
                node=self._me,
                folder=self._settings.home.jobs_path,
                registry=registry_of(self._settings.config.images),
                is_known_to_registries=self._settings.config.images.credentials_for_jobs,
            )
        )

    def _make_job_service(self) -> JobService:
        settings = self._settings
        office = Office(
            me=self._me,
            chain_id=chain_id(settings.genesis),
            chain=self.ledger,
            send=self._send,
            workshop=self._workshop,
            work=self._stores.work,
            salts=Salts(settings.keystore.salt_seed, chain_id(settings.genesis)),
            clock=self._clock,
            surroundings=self._workplace.seen_from(SystemSurroundings()),
            params=self.ledger.params,
            seek=self._discovery.seek,
            decide=settings.decide,
        )
        policy = read_policy(settings.home.policy_path, settings.config.work)
        return JobService(office, job_policy(policy) if policy.work else None)

    def _make_server(self) -> ApiServer:
        view = View(
            me=self._me,
            ledger=self.ledger,
            network=self.network,
            jobs=self._jobs,
            history=self._history(),
            blobs=self._stores.blobs,
            blobs_bytes_max=self._settings.config.storage.blobs_bytes_max,
            clock=self._clock,
            home=self._settings.home.path,
            origin=self._discovery.origin,
            capabilities=self._workplace.capabilities,
            sandbox_problem=self._workplace.problem,
            vitals=self._vitals,
        )
        counter = Counter(
            me=self._me,
            ledger=self.ledger,
            sender=self._sender,
            images=self._workplace.images,
            blobs=self._stores.blobs,
            workshop=self._workshop,
            clock=self._clock,
            sandbox_problem=self._workplace.problem,
        )
        service = NodeService(
            view, counter, home=self._settings.home, work=self._settings.config.work
        )
        self._server = ApiServer(self._endpoint, service)
        return self._server

    def _history(self) -> History:
        history = History(self._stores.chain, self._me, self._publish)
        self.ledger.hear(history.hear)
        return history

    async def _serve(self, server: ApiServer) -> None:
        try:
            await server.run()
        finally:
            self._server = None

    def _observed(self) -> Observed:
        return Observed(
            ledger=self.ledger,
            agreement=self._agreement,
            sender=self._sender,
            network=self.network,
            transport=self._transport,
            jobs=self._jobs,
            sandbox=self._workplace.sandbox,
            blobs=self._stores.blobs,
            vitals=self._vitals,
            discovery=self._discovery,
            accusing=self._accusing,
            server=lambda: self._server,
        )

    def _publish(self, event: Event) -> None:
        if self._server is not None:
            self._server.publish(event)

    def _handlers(self) -> PeerHandlers:
        return PeerHandlers(
            ledger=self.ledger,
            agreement=self._agreement,
            network=self.network,
            clock=self._clock,
            answers=Answers(self._answerers()),
        )

    def _answerers(self) -> Mapping[Topic, Answerer]:
        """Return who answers what peers ask, by topic."""
        return {
            Topic.GENESIS: genesis_answerer(self._settings.genesis, self._clock),
            **Witness(self.ledger, self._clock).answerers(),
            **self._discovery.answerers(),
            **self._sync.answerers(),
        }

    async def _send(self, body: Body) -> Height:
        included = await self._sender.send(body)
        return included.height

    def _on_finalized(self, _finalized: Finalized) -> None:
        self._jobs.wake()


def _search_of(job: JobId, node: PublicKey) -> Search:
    """Return an empty search of one job on one node, seeded so that nodes differ."""
    return new_search(int.from_bytes(digest("lc/search/1", job, node)[:4], "big"))
