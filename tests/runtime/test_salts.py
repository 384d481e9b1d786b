"""Salts are known again after a crash, and to nobody else."""

from lc_node.chain.types import Digest, JobId, ModelRoot
from lc_node.runtime.salts import Salts
from tests.chain.market import CHAIN, SPEC, key, model
from tests.peer_nodes import OTHER_CHAIN

JOB, OTHER_JOB = JobId(SPEC.image.manifest), JobId(model("x"))
SALTS = Salts(b"seed", CHAIN)


def test_the_same_seed_gives_the_same_salts() -> None:
    again = Salts(b"seed", CHAIN)

    assert again.of_bid(JOB, model("a")) == SALTS.of_bid(JOB, model("a"))
    assert again.of_verdict(JOB, key("tom")) == SALTS.of_verdict(JOB, key("tom"))


def test_every_thing_that_is_committed_to_has_a_salt_of_its_own() -> None:
    salts = {
        SALTS.of_bid(JOB, model("a")),
        SALTS.of_bid(JOB, model("b")),
        SALTS.of_bid(OTHER_JOB, model("a")),
        SALTS.of_verdict(JOB, key("tom")),
        SALTS.of_bid(JOB, ModelRoot(Digest(key("tom")))),
        Salts(b"other seed", CHAIN).of_bid(JOB, model("a")),
        Salts(b"seed", OTHER_CHAIN).of_bid(JOB, model("a")),
    }

    assert len(salts) == 7


def test_the_seed_is_never_shown() -> None:
    assert "seed" not in repr(SALTS)
