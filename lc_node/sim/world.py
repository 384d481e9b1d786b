"""One simulated run: true time, all nodes, and an observer who sees everything."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Final

from lc_node.chain.blocks import Block, Header, block_id
from lc_node.chain.codec import encode
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.transactions import SignedTransaction
from lc_node.chain.types import BlockId, Epoch, Height, Millis, MillisSpan, PublicKey
from lc_node.chain.votes import Certificate
from lc_node.consensus.core import Core
from lc_node.consensus.delivery import ChainForked, StateDiverged
from lc_node.consensus.messages import MESSAGE_DECODER, Blocks, Message, Propose
from lc_node.consensus.outputs import Audience, Deliver, EvidenceFound, Misbehaviour, Send
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.sim.auditor import Auditor
from lc_node.sim.cast import START, Cast, cast
from lc_node.sim.disk import BrokenInvariant, Disk
from lc_node.sim.economy import NodeLedger
from lc_node.sim.faults import Fault
from lc_node.sim.network import Network
from lc_node.sim.node import Machine, Node, SendBytes
from lc_node.sim.randomness import stream
from lc_node.sim.report import Run
from lc_node.sim.scenario import Scenario
from lc_node.sim.schedule import Schedule

GOSSIP_MS: Final = MillisSpan(200)
"""After at most this long most nodes know a transaction."""

LATE: Final = 0.05
"""The share of nodes that hear of a transaction late."""

LATE_MS: Final = MillisSpan(6_000)
"""After at most this long the others know it too."""

ABSENCE_MS: Final = (1_000, 15_000)
"""How long a follower stays away."""

PRESENCE_MS: Final = (2_000, 10_000)
"""How long it stays, until the network heals."""


class World:
    """Everything there is in one run."""

    def __init__(self, seed: int, scenario: Scenario, core: type[Core] = Core) -> None:
        """Build the nodes of a seed; ``core`` is what the honest ones run."""
        self.run_ = Run(seed=seed)
        self._seed = seed
        self._scenario = scenario
        self._schedule = Schedule(START)
        self._heals_at = Millis(START + scenario.heals_at)
        self._faults = self._stream("faults")
        self._chance = self._stream("chance")
        self._cast: Cast = cast(seed, scenario, self._faults, core)
        self._economy = self._cast.economy
        self._final: list[BlockId] = []
        self._audited = Height(0)
        self._auditor = Auditor(
            chain_id=self._economy.root.chain_id,
            verify=self._economy.verify,
            ahead_ms=MillisSpan(scenario.params.drift + self._cast.knobs.clock_error_ms),
        )
        self._fingerprint = hashlib.sha256()
        self._nodes = [Node(traits, self._boot, self) for traits in self._cast.traits]
        members = self._cast.setting.validators
        self._followers = [n for n in self._nodes if n.traits.key not in members]
        self._behind = {node for node in self._nodes if node.traits.is_honest}
        """Honest nodes that have yet to make the progress they should."""
        self._is_over = False
        self._audiences: dict[tuple[int, Epoch, Audience], list[Node]] = {}
        self._network = Network(
            self._cast.knobs.weather,
            self._heals_at,
            self._stream("network"),
            scenario.partitions,
            len(self._nodes),
        )

    @property
    def now(self) -> Millis:
        """True time."""
        return self._schedule.now

    def run(self) -> Run:
        """Run until every honest node has made the progress it should, or was given enough time."""
        self._power_on()
        self._turn_weather()
        self._submit()
        for _ in range(self._cast.knobs.blackouts):
            at = START + self._faults.randrange(1, self._scenario.heals_at + 1)
            self.call_at(Millis(at), self._black_out)
        until = Millis(self._heals_at + self._scenario.calm_ms)
        try:
            while not self._is_over:
                if not self._schedule.step(until):
                    self.run_.stalled = True
                    break
        except (BrokenInvariant, ChainForked, StateDiverged) as error:
            self._break(f"{type(error).__name__}: {error}")
        self.run_.blocks = len(self._final)
        self.run_.views = max(
            node.view for node in self._nodes if node.traits.is_honest and node.boots
        )
        self.run_.simulated_ms = (self.now - START) * len(self._nodes)
        self.run_.fingerprint = self._fingerprint.hexdigest()
        return self.run_

    # What nodes need of the world.

    def call_at(self, at: Millis, call: Callable[[], None]) -> None:
        """Call back at a time, in the order asked for where times are equal."""
        self._schedule.call_at(at, call)

    def transmit(self, node: Node, send: Send | SendBytes) -> None:
        """Take a message to whoever it is for, as the network pleases."""
        message = self._message(send)
        if message is None:
            return
        sender, key, now = node.traits.number, node.traits.key, self.now
        is_long = isinstance(message, Propose | Blocks)
        for receiver in self._receivers(node, send.to):
            self.run_.messages += 1
            for delay in self._network.delays(
                sender, receiver.traits.number, now, is_long=is_long
            ):
                self.call_at(Millis(now + delay), partial(receiver.receive, key, message))

    def observe(self, node: Node, output: Deliver | EvidenceFound | Misbehaviour) -> None:
        """Hold what an honest node concludes against what everybody knows to be true."""
        if not node.traits.is_honest:
            return
        match output:
            case Deliver(blocks=blocks, certificate=certificate):
                self._observe_delivery(node, blocks)
                self._audit(blocks[-1], certificate)
            case EvidenceFound(first=first, second=second):
                self.run_.evidence += 1
                self.run_.honest_punished += self._cast.is_honest(second.signer)
                self._tell(self._economy.accuse(node.traits.number, first, second))
            case Misbehaviour(peer=peer, fault=fault):
                if self._cast.is_honest(peer):
                    self._break(f"an honest peer was accused of {fault.name}")

    def strikes(self, node: Node) -> bool:
        """Return whether the node's power fails now; then it comes back later."""
        if not self._cast.knobs.crash_chance or self.now >= self._heals_at:
            return False
        if self._faults.random() >= self._cast.knobs.crash_chance:
            return False
        self._crash(node)
        return True

    # Messages.

    def _message(self, send: Send | SendBytes) -> Message | None:
        """Return what a receiver makes of it; all receivers share one decoded message."""
        if isinstance(send, Send) and not self._scenario.through_codec:
            return send.message
        data = send.data if isinstance(send, SendBytes) else encode(send.message)
        try:
            return MESSAGE_DECODER.decode(data)
        except MalformedBytes:
            self.run_.malformed += 1
            return None

    def _receivers(self, sender: Node, to: PublicKey | Audience) -> list[Node]:
        if not isinstance(to, Audience):
            return [self._nodes[number] for number in self._cast.numbers[to]]
        setting = sender.setting
        name = (sender.traits.number, setting.epoch, to)
        audience = self._audiences.get(name)
        if audience is None:
            audience = self._audiences[name] = self._audience(sender, setting.validators, to)
        return [self._chance.choice(audience)] if to is Audience.ANYONE and audience else audience

    def _audience(self, sender: Node, members: ValidatorSet, to: Audience) -> list[Node]:
        others = [node for node in self._nodes if node is not sender]
        if to is Audience.ANYONE:
            return others
        wanted = to is Audience.VALIDATORS
        return [node for node in others if (node.traits.key in members) is wanted]

    # Nodes.

    def _stream(self, *names: object) -> Random:
        return stream(self._seed, *names)

    def _boot(self, number: int, disk: Disk) -> tuple[Machine, NodeLedger]:
        rng = self._stream("adversary", number, self.now)
        ledger = self._economy.ledger(self._cast.identity(number), disk)
        node = self._nodes[number]
        for transaction in self._economy.waiting():
            ledger.submit(transaction, self.now)
        tip: Header = disk.block(disk.height).header if disk.height else self._economy.root
        return self._cast.machine(node.traits, ledger, disk, tip, rng), ledger

    def _power_on(self) -> None:
        """Start all nodes; followers may come later, and go again."""
        for node in self._nodes:
            if node in self._followers and Fault.CHURN in self._scenario.faults:
                self.call_at(Millis(START + self._faults.randint(0, ABSENCE_MS[1])), node.power_on)
                self._leave_later(node)
            else:
                node.power_on()

    def _leave_later(self, node: Node) -> None:
        at = Millis(self.now + self._faults.randint(*PRESENCE_MS))
        if at < self._heals_at:
            self.call_at(at, partial(self._leave, node))

    def _leave(self, node: Node) -> None:
        back = self.now + self._faults.randint(*ABSENCE_MS)
        node.power_off()
        self.call_at(Millis(back), node.power_on)
        self._leave_later(node)

    def _crash(self, node: Node) -> None:
        """Cut a node's power for a while."""
        self.run_.crashes += 1
        node.power_off()
        if node.traits.number < self._scenario.forgetful:
            node.disk.lose_votes()
        back = self._faults.randint(50, self._cast.knobs.back_ms)
        self.call_at(Millis(self.now + back), node.power_on)

    def _black_out(self) -> None:
        for node in self._nodes:
            if node.is_up:
                self._crash(node)

    # What happens by itself.

    def _turn_weather(self) -> None:
        lasts = self._network.turn()
        if self._scenario.partitions:
            lasts = self._scenario.slot_ms
        if self.now < self._heals_at:
            self.call_at(Millis(self.now + lasts), self._turn_weather)

    def _submit(self) -> None:
        """Let people send what they want, and come back for more."""
        self._tell(self._economy.submissions(self.now))
        pause = self._chance.expovariate(1 / self._scenario.payment_every_ms)
        self.call_at(Millis(self.now + 1 + int(pause)), self._submit)

    def _tell(self, transactions: Sequence[SignedTransaction]) -> None:
        """Make transactions known everywhere after a while."""
        if not transactions:
            return
        for node in self._nodes:
            is_late = self._chance.random() < LATE
            delay = self._chance.randint(1, LATE_MS if is_late else GOSSIP_MS)
            self.call_at(Millis(self.now + delay), partial(node.submit, transactions))

    # What the observer sees.

    def _observe_delivery(self, node: Node, blocks: Sequence[Block]) -> None:
        number, at = node.traits.number, self.now
        for block in blocks:
            height, identity = block.header.height, block_id(block.header)
            self._fingerprint.update(b"%d %d %s\n" % (number, at, identity))
            if height == len(self._final) + 1:
                self._final.append(identity)
                self._economy.finalized(block, at)
            elif self._final[height - 1] != identity:
                self.run_.forks += 1
                self._break(f"two final blocks at height {height}")
            if block.header.time >= self._heals_at:
                self.run_.latencies_ms.append(MillisSpan(max(0, at - block.header.time)))
        if self._has_progressed(node):
            self._behind.discard(node)
        self._is_over |= not self._behind and self._economy.is_satisfied

    def _audit(self, block: Block, certificate: Certificate) -> None:
        """Count the votes for the last of some delivered blocks, once a height."""
        height = block.header.height
        if height > self._audited:
            self._audited = height
            members = self._economy.members(block.header.epoch)
            self._auditor.audit(block, certificate, members, self.now)

    def _has_progressed(self, node: Node) -> bool:
        goal = Height(node.height - self._scenario.goal + 1)
        return goal > 0 and node.disk.block(goal).header.time >= self._heals_at

    def _break(self, what: str) -> None:
        self.run_.broken_invariants.append(what)
        self._is_over = True
