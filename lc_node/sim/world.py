"""One simulated run: true time, all nodes, and an observer who sees everything."""

import hashlib
import heapq
from collections.abc import Callable
from functools import partial
from random import Random

from lc_node.chain.blocks import Header, block_id
from lc_node.chain.codec import encode
from lc_node.chain.crypto import sha256
from lc_node.chain.transactions import SignedTransaction
from lc_node.chain.types import BlockId, ChainId, Epoch, Height, Millis, MillisSpan, PublicKey
from lc_node.consensus.core import Core
from lc_node.consensus.delivery import ChainForked, StateDiverged
from lc_node.consensus.messages import MESSAGE_DECODER
from lc_node.consensus.outputs import Audience, Deliver, EvidenceFound, Misbehaviour, Send
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.sim.adversaries import STRATEGIES, Part
from lc_node.sim.disk import BrokenInvariant, Disk
from lc_node.sim.keys import SimSigner, verify
from lc_node.sim.ledger import SimLedger, genesis, payment
from lc_node.sim.network import Network
from lc_node.sim.node import Machine, Node, Traits
from lc_node.sim.randomness import stream
from lc_node.sim.report import Run
from lc_node.sim.scenario import Scenario, draw

START = Millis(1_000_000)
"""True time at which every run begins."""

GOSSIP_MS = MillisSpan(200)
"""After at most this long most nodes know a transaction."""

LATE = 0.05
"""The share of nodes that hear of a transaction late."""

LATE_MS = MillisSpan(6_000)
"""After at most this long the others know it too."""


class World:
    """Everything there is in one run."""

    def __init__(self, seed: int, scenario: Scenario, core: type[Core] = Core) -> None:
        """Build the nodes of a seed; ``core`` is what the honest ones run."""
        self.run_ = Run(seed=seed)
        self._seed = seed
        self._scenario = scenario
        self._core = core
        self._now = START
        self._events: list[tuple[Millis, int, Callable[[], None]]] = []
        self._scheduled = 0
        self._heals_at = Millis(START + scenario.heals_at)
        self._knobs = draw(scenario, self._stream("knobs"))
        self._faults = self._stream("faults")
        self._chance = self._stream("chance")
        self._setting, self._signers = self._cast()
        self._genesis = self._setting.root
        self._final: dict[Height, tuple[BlockId, Millis]] = {}
        self._fingerprint = hashlib.sha256()
        self._payments: list[SignedTransaction] = []
        self._nodes = [self._node(number) for number in range(len(self._signers))]
        self._by_key = {node.traits.key: node for node in self._nodes}
        network_rng = self._stream("network")
        self._network = Network(len(self._nodes), self._knobs.weather, self._heals_at, network_rng)

    @property
    def now(self) -> Millis:
        """True time."""
        return self._now

    def run(self) -> Run:
        """Run until every honest node has made the progress it should, or was given enough time."""
        for node in self._nodes:
            node.power_on()
        self._turn_weather()
        self._pay()
        for _ in range(self._scenario.blackouts):
            at = self._now + self._faults.randrange(1, self._scenario.heals_at + 1)
            self.call_at(Millis(at), self._black_out)
        until = self._heals_at + self._scenario.calm_ms
        try:
            while not self._is_done():
                at, _, call = heapq.heappop(self._events)
                if at > until:
                    self.run_.stalled = True
                    break
                self._now = at
                call()
        except (BrokenInvariant, ChainForked, StateDiverged) as error:
            self.run_.broken_invariants.append(f"{type(error).__name__}: {error}")
        self.run_.blocks = max(node.height for node in self._nodes)
        self.run_.fingerprint = self._fingerprint.hexdigest()
        return self.run_

    # What nodes need of the world.

    def call_at(self, at: Millis, call: Callable[[], None]) -> None:
        """Call back at a time, in the order asked for where times are equal."""
        self._scheduled += 1
        heapq.heappush(self._events, (max(at, self._now), self._scheduled, call))

    def transmit(self, node: Node, send: Send) -> None:
        """Take a message to whoever it is for, as the network pleases."""
        message = send.message
        if self._scenario.through_codec:
            message = MESSAGE_DECODER.decode(encode(message))
        for receiver in self._receivers(node, send.to):
            self.run_.messages += 1
            delays = self._network.delays(node.traits.number, receiver.traits.number, self._now)
            for delay in delays:
                arrival = partial(receiver.receive, node.traits.key, message)
                self.call_at(Millis(self._now + delay), arrival)

    def observe(self, node: Node, output: Deliver | EvidenceFound | Misbehaviour) -> None:
        """Hold what an honest node concludes against what everybody knows to be true."""
        if not node.traits.is_honest:
            return
        match output:
            case Deliver():
                self._observe_delivery(node, output)
            case EvidenceFound(second=vote):
                self.run_.evidence += 1
                self.run_.honest_punished += self._by_key[vote.signer].traits.is_honest
            case Misbehaviour(peer=peer, fault=fault):
                if self._by_key[peer].traits.is_honest:
                    self._break(f"an honest peer was accused of {fault.name}")

    def strikes(self, node: Node) -> bool:
        """Return whether the node's power fails now; then it comes back later."""
        if self._now >= self._heals_at or self._faults.random() >= self._knobs.crash_chance:
            return False
        self._crash(node)
        return True

    # Nodes.

    def _stream(self, *names: object) -> Random:
        return stream(self._seed, *names)

    def _cast(self) -> tuple[Setting, list[SimSigner]]:
        """Give the parts: honest members, then dishonest ones, then followers."""
        scenario, knobs = self._scenario, self._knobs
        weights = list(knobs.honest_weights)
        weights += [knobs.dishonest_weight] * len(scenario.adversaries)
        chain_id = ChainId(sha256(b"simulated chain %d" % self._seed))
        count = len(weights) + scenario.followers
        signers = [SimSigner.named(f"{self._seed}/{number}") for number in range(count)]
        members = {s.public_key: w for s, w in zip(signers, weights, strict=False)}
        setting = Setting(
            chain_id=chain_id,
            epoch=Epoch(0),
            validators=ValidatorSet(members),
            root=genesis(chain_id),
            verifier=verify,
        )
        return setting, signers

    def _node(self, number: int) -> Node:
        signer, skew = self._signers[number], self._scenario.skew_ms
        members = len(self._setting.validators)
        traits = Traits(
            number=number,
            key=signer.public_key,
            is_honest=not self._scenario.honest <= number < members,
            skew_ms=self._faults.randint(-skew, skew),
            sync_ms=MillisSpan(self._faults.randint(0, self._knobs.sync_ms)),
        )
        return Node(traits, lambda disk: self._boot(number, disk), self)

    def _boot(self, number: int, disk: Disk) -> tuple[Machine, SimLedger]:
        signer, scenario = self._signers[number], self._scenario
        ledger = SimLedger(self._genesis, disk, signer.public_key)
        for transaction in self._payments:
            ledger.submit(transaction, self._now)
        tip: Header = disk.block(disk.height).header if disk.height else self._genesis
        part = number - scenario.honest
        is_dishonest = 0 <= part < len(scenario.adversaries)
        core = (Core if is_dishonest else self._core)(
            self._setting,
            ledger,
            tip=tip,
            signer=signer if number < len(self._setting.validators) else None,
            params=scenario.params,
            may_sign=disk.may_sign or is_dishonest,
        )
        core.replay(*disk.rows())
        if not is_dishonest:
            return core, ledger
        adversary = STRATEGIES[scenario.adversaries[part]]
        rng = self._stream("adversary", number, self._scheduled)
        played = Part(machine=core, ledger=ledger, signer=signer, setting=self._setting, rng=rng)
        return adversary(played), ledger

    def _crash(self, node: Node) -> None:
        """Cut a node's power for a while."""
        self.run_.crashes += 1
        node.power_off()
        if node.traits.number < self._scenario.forgetful:
            node.disk.lose_votes()
        back = self._faults.randint(50, self._knobs.back_ms)
        self.call_at(Millis(self._now + back), node.power_on)

    def _black_out(self) -> None:
        for node in self._nodes:
            if node.is_up:
                self._crash(node)

    def _receivers(self, sender: Node, to: PublicKey | Audience) -> list[Node]:
        others = [node for node in self._nodes if node is not sender]
        members = self._setting.validators
        match to:
            case Audience.VALIDATORS:
                return [node for node in others if node.traits.key in members]
            case Audience.FOLLOWERS:
                return [node for node in others if node.traits.key not in members]
            case Audience.ANYONE:
                return [self._chance.choice(others)] if others else []
            case _:
                return [self._by_key[to]]

    # What happens by itself.

    def _turn_weather(self) -> None:
        self.call_at(Millis(self._now + self._network.turn()), self._turn_weather)

    def _pay(self) -> None:
        """Make a transaction, tell every node after a while, and arrange for the next."""
        transaction = payment(self._setting.chain_id, len(self._payments) + 1)
        self._payments.append(transaction)
        for node in self._nodes:
            is_late = self._chance.random() < LATE
            delay = self._chance.randint(1, LATE_MS if is_late else GOSSIP_MS)
            self.call_at(Millis(self._now + delay), partial(node.submit, (transaction,)))
        pause = self._chance.expovariate(1 / self._scenario.payment_every_ms)
        self.call_at(Millis(self._now + 1 + int(pause)), self._pay)

    # What the observer sees.

    def _observe_delivery(self, node: Node, delivered: Deliver) -> None:
        number, at = node.traits.number, self._now
        for block in delivered.blocks:
            identity = block_id(block.header)
            self._fingerprint.update(b"%d %d %s\n" % (number, at, identity))
            first, _ = self._final.setdefault(block.header.height, (identity, at))
            if first != identity:
                self.run_.forks += 1
                self._break(f"two final blocks at height {block.header.height}")
            if block.header.time >= self._heals_at:
                self.run_.latencies_ms.append(MillisSpan(max(0, at - block.header.time)))

    def _is_done(self) -> bool:
        return bool(self.run_.broken_invariants) or all(
            self._has_progressed(node) for node in self._nodes if node.traits.is_honest
        )

    def _has_progressed(self, node: Node) -> bool:
        goal = Height(node.height - self._scenario.goal + 1)
        return goal > 0 and node.disk.block(goal).header.time >= self._heals_at

    def _break(self, what: str) -> None:
        self.run_.broken_invariants.append(what)
