"""Who votes when in a simulation whose epochs end: given beforehand, as if by bonds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from lc_node.chain.blocks import Header
from lc_node.chain.records import Member, ValidatorSet
from lc_node.chain.types import Digest, Epoch, Height, PublicKey, Weight
from lc_node.chain.validators import set_hash
from lc_node.sim.randomness import stream


def nobody(epoch: Epoch) -> Mapping[PublicKey, Weight]:
    """Return no members: where epochs never end, nobody asks."""
    del epoch
    return {}


@dataclass(frozen=True, slots=True)
class Plan:
    """The length of epochs and the validators of each."""

    epoch_heights: int = 0
    """0: epoch 0 never ends."""
    members: Callable[[Epoch], Mapping[PublicKey, Weight]] = nobody

    def epoch_after(self, header: Header) -> Epoch:
        """Return the epoch of the block after this one."""
        is_last = header.height == self.last_height(header.epoch)
        return Epoch(header.epoch + 1) if is_last else header.epoch

    def last_height(self, epoch: Epoch) -> Height | None:
        """Return the height of an epoch's last block."""
        return Height((epoch + 1) * self.epoch_heights) if self.epoch_heights else None

    def record(self, epoch: Epoch) -> ValidatorSet:
        """Return an epoch's validators as a state would hold them."""
        members = sorted(self.members(epoch).items())
        return ValidatorSet(
            epoch=epoch, members=tuple(Member(key=key, weight=weight) for key, weight in members)
        )

    def next_set_hash(self, height: Height, epoch: Epoch) -> tuple[Digest, ...]:
        """Return what the header of a block in an epoch says of the next one."""
        if height != self.last_height(epoch):
            return ()
        return (set_hash(self.record(Epoch(epoch + 1))),)


ENDLESS = Plan()
"""Epoch 0 never ends."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """How often validators change; who they are is drawn from the seed."""

    epoch_heights: int = 0
    """0: never."""
    forgetful: int = 0
    """Honest nodes, the first ones, that may fall silent: they count against the third."""

    def plan(
        self, seed: int, keys: Sequence[PublicKey], weights: Sequence[Weight], honest: int
    ) -> Plan:
        """Return the plan of a seed: the first ``honest`` keys and those without weights are honest."""
        first = dict(zip(keys, weights, strict=False))
        bad = range(honest, len(weights))

        def members(epoch: Epoch) -> Mapping[PublicKey, Weight]:
            return self._draw(stream(seed, "set", epoch), keys, bad) if epoch else first

        return Plan(self.epoch_heights, members)

    def _draw(
        self, rng: Random, keys: Sequence[PublicKey], bad: range
    ) -> Mapping[PublicKey, Weight]:
        """Let any node join or leave, but liars have less than a third of the weight."""
        good = [number for number in range(len(keys)) if number not in bad]
        chosen = rng.sample(good, rng.randint(max(1, len(good) - 2), len(good)))
        weights = {number: Weight(rng.randint(2, 4)) for number in sorted(chosen)}
        faulty = sum(weight for number, weight in weights.items() if number < self.forgetful)
        spare = (sum(weights.values()) - faulty - 1) // 2 - faulty
        for number in bad[: max(0, spare)]:
            weights[number] = Weight(max(1, spare // len(bad)))
        return {keys[number]: weight for number, weight in weights.items()}


NEVER = Drawn()
"""Validators stay."""
