"""Sample jobs as the chain keeps them."""

from lc_node.chain.job import (
    Examination,
    Job,
    Label,
    Outcome,
    Phase,
    PlacedBid,
    Seat,
    Standing,
    Verdict,
)
from lc_node.chain.records import Member
from lc_node.chain.transactions import (
    ImageReference,
    JobSpec,
    ModelFormat,
    Resources,
    Tolerance,
)
from lc_node.chain.types import (
    ByteCount,
    Digest,
    Height,
    JobId,
    MicroCredits,
    Millis,
    ModelRoot,
    NanoLoss,
    PartsPerMillion,
    PublicKey,
    Seconds,
    Weight,
)

ME, SUBMITTER, RIVAL = (PublicKey(bytes([n]) * 32) for n in (1, 2, 3))
MANIFEST = Digest(b"\x04" * 32)
ROOT = ModelRoot(Digest(b"\x05" * 32))
COMMITMENT = Digest(b"\x06" * 32)
NOW = Millis(1_000_000)
EXPIRY = Millis(2_000_000)
SIZE = ByteCount(100)

SPEC = JobSpec(
    title="digits",
    image=ImageReference(
        manifest=MANIFEST, total_bytes=ByteCount(1_000), references=(), on_graph=True
    ),
    contract="lc/1",
    model_format=ModelFormat.SKOPS,
    resources=Resources(
        millicpus=1_000, memory_bytes=ByteCount(1_000), disk_bytes=ByteCount(100), gpus=0
    ),
    trial_seconds=Seconds(60),
    evaluate_seconds=Seconds(10),
    model_bytes_max=ByteCount(100),
    bounty=MicroCredits(10),
    expiry=EXPIRY,
    tolerance=Tolerance(absolute=NanoLoss(1_000), relative=PartsPerMillion(1)),
    open_to_newcomers=False,
    hidden_root=(),
    private=False,
)


def a_bid(bidder: PublicKey, loss: int = 500, standing: Standing = Standing.FINALIST) -> PlacedBid:
    return PlacedBid(
        bidder=bidder,
        loss=NanoLoss(loss),
        commitment=COMMITMENT,
        height=Height(1),
        lot=Digest(bytes(32)),
        bond=MicroCredits(1),
        standing=standing,
        opening=((ROOT, SIZE),) if standing is Standing.OPENED else (),
    )


def a_job(phase: Phase, *bids: PlacedBid, examinations: tuple[Examination, ...] = ()) -> Job:
    return Job(
        id=JobId(Digest(bytes(32))),
        spec=SPEC,
        submitter=SUBMITTER,
        phase=phase,
        due=EXPIRY,
        expiry=EXPIRY,
        bounty=MicroCredits(10),
        escrow=MicroCredits(10),
        fee_held=MicroCredits(0),
        bids=bids,
        rounds=0,
        examinations=examinations,
        suspended=(),
        winner=(),
        label=Label.NONE,
    )


def seated(
    phase: Phase, commitment: tuple[Digest, ...] = (), verdict: tuple[Verdict, ...] = ()
) -> Job:
    """Return a job that examines the rival's model, with a seat of ours."""
    seat = Seat(
        member=Member(key=ME, weight=Weight(1)), size=3, commitment=commitment, verdict=verdict
    )
    examination = Examination(
        candidate=RIVAL,
        pool=(seat.member,),
        strong=True,
        size=3,
        seats=(seat,),
        outcome=Outcome.PENDING,
        gross=False,
        discordant=False,
    )
    return a_job(phase, a_bid(RIVAL, standing=Standing.OPENED), examinations=(examination,))


OPEN = a_job(Phase.OPEN)
