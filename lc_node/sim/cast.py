"""Who plays what in a run: honest members, then dishonest ones, then followers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from lc_node.chain.blocks import Header, block_id
from lc_node.chain.types import Epoch, Millis, MillisSpan, PublicKey, Weight
from lc_node.consensus.core import Core
from lc_node.consensus.epochs import Epochs, Voter
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.sim.adversaries import Part
from lc_node.sim.disk import Disk
from lc_node.sim.economy import Economy, EconomyMaker, NodeLedger
from lc_node.sim.ledger import ToyEconomy
from lc_node.sim.node import Machine, Traits
from lc_node.sim.plan import Drawn
from lc_node.sim.randomness import stream
from lc_node.sim.real_economy import RealEconomy
from lc_node.sim.scenario import Knobs, Scenario, draw
from lc_node.sim.strategies import STRATEGIES, TWIN, Twin

START: Final = Millis(1_000_000)
"""True time at which every run begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everybody in a run; nodes go by their number, twins share the key of an earlier one."""

    scenario: Scenario
    knobs: Knobs
    economy: Economy
    setting: Setting
    traits: Sequence[Traits]
    numbers: Mapping[PublicKey, Sequence[int]]
    """The nodes that answer to a key."""
    core: type[Core]
    """What honest nodes run."""

    def is_honest(self, key: PublicKey) -> bool:
        """Return whether a key is an honest node's."""
        return self.traits[self.numbers[key][0]].is_honest

    def identity(self, number: int) -> int:
        """Return the number of the first node that has this one's key."""
        return self.numbers[self.traits[number].key][0]

    def machine(
        self, traits: Traits, ledger: NodeLedger, disk: Disk, tip: Header, rng: Random
    ) -> Machine:
        """Return what a node runs, with what its disk holds replayed."""
        strategy = self._strategy(self.identity(traits.number))
        kind = Twin if strategy == TWIN else self.core if traits.is_honest else Core
        signer = self.economy.signers[self.identity(traits.number)]
        epoch = ledger.era(block_id(tip)).epoch
        core = Epochs(
            ledger,
            disk,
            tip=tip,
            voter=Voter(
                chain_id=self.setting.chain_id,
                signer=signer,
                verifier=self.economy.verify,
                signs_from=Epoch(epoch + (traits.is_honest and epoch in disk.silent_in)),
            ),
            params=self.scenario.params,
            core=kind,
        )
        if strategy is None or strategy == TWIN:
            return core
        part = Part(machine=core, ledger=ledger, signer=signer, rng=rng)
        return STRATEGIES[strategy](part)

    def _strategy(self, identity: int) -> str | None:
        """Return how a node is bad, None if it is not."""
        place = identity - self.scenario.honest
        return self.knobs.strategies[place] if 0 <= place < len(self.knobs.strategies) else None


def _astray(scenario: Scenario, knobs: Knobs, rng: Random) -> Mapping[int, int]:
    """Return by how much the clocks of some honest members, the last ones, are wrong."""
    wrong = range(max(0, scenario.honest - knobs.astray), scenario.honest)
    return {number: rng.randint(-scenario.astray_ms, scenario.astray_ms) for number in wrong}


def cast(seed: int, scenario: Scenario, faults: Random, core: type[Core]) -> Cast:
    """Give the parts of a seed."""
    knobs = draw(scenario, stream(seed, "knobs"), (*sorted(STRATEGIES), TWIN))
    weights: list[Weight] = list(knobs.honest_weights)
    weights += [knobs.dishonest_weight] * len(scenario.adversaries)
    drawn = Drawn(scenario.epoch_heights, scenario.forgetful)
    toy = partial(ToyEconomy, drawn=drawn)
    maker: EconomyMaker = RealEconomy if scenario.market else toy
    economy = maker(seed, weights, scenario.honest, scenario.followers)
    keys = [signer.public_key for signer in economy.signers]
    members = dict(zip(keys, weights, strict=False))
    twins = [
        key
        for key, name in zip(keys[scenario.honest :], knobs.strategies, strict=False)
        if name == TWIN
    ]
    everybody = [*keys, *twins]
    honest = {*keys[: scenario.honest], *keys[len(weights) :]}
    setting = Setting(
        chain_id=economy.root.chain_id,
        epoch=Epoch(0),
        validators=ValidatorSet(members),
        root=economy.root,
        verifier=economy.verify,
    )
    numbers: dict[PublicKey, list[int]] = {}
    for number, key in enumerate(everybody):
        numbers.setdefault(key, []).append(number)
    heals_at = Millis(START + scenario.heals_at)
    astray = _astray(scenario, knobs, stream(seed, "clocks"))
    traits = [
        Traits(
            number=number,
            key=key,
            is_honest=key in honest,
            skew_ms=faults.randint(-knobs.skew_ms, knobs.skew_ms),
            drift_ppm=faults.randint(-knobs.drift_ppm, knobs.drift_ppm),
            astray_ms=astray.get(number, 0),
            set_right_at=heals_at,
            sync_ms=MillisSpan(faults.randint(0, knobs.sync_ms)),
        )
        for number, key in enumerate(everybody)
    ]
    return Cast(
        scenario=scenario,
        knobs=knobs,
        economy=economy,
        setting=setting,
        traits=traits,
        numbers=numbers,
        core=core,
    )
