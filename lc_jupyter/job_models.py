"""The models of a job: who made which, what was announced and found, and what the winner's file says of itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median_low
from typing import Final, overload

from lc_jupyter.display import Cell, Column, Row, Shown, facts, paragraph, stack, table
from lc_jupyter.inspection.contents import Contents
from lc_jupyter.units import short, short_job, show_bytes, show_loss
from lc_node.api.schema import Address, Digest, JobId, ModelFormat, NanoLoss
from lc_node.api.schema_jobs import BidView, JobStory

ROWS_SHOWN: Final = 30
_COLUMNS: Final = (
    Column("rank", is_number=True),
    Column("node"),
    Column("standing"),
    Column("announced", is_number=True),
    Column("re-evaluated", is_number=True),
    Column("size", is_number=True),
    Column("format"),
    Column("digest"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobModel:
    """A model that was opened: what the chain knows of it."""

    bidder: Address
    rank: int
    """Of its bid, from 1."""
    loss: NanoLoss
    """As its bidder announced it."""
    found: NanoLoss | None
    """The middle one of the losses that the committee found; None where nobody evaluated it."""
    evaluations: int
    """How many members of the committee found a loss."""
    digest: Digest
    size: int
    """Bytes."""
    model_format: ModelFormat
    is_winner: bool
    standing: str
    """``confirmed``, ``finalist``, ``reserve``, or why it is void."""
    is_void: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobModels(Sequence[JobModel]):
    """The models of a job, the best announced first; a notebook shows them as a table."""

    job: JobId
    models: tuple[JobModel, ...]
    unopened: int
    """Bids whose models nobody has seen."""
    contents: Contents | None = None
    """What the winner's file says of itself; None where it cannot be read."""
    problem: str = field(default="")
    """Why it cannot; empty where there is no winner yet."""

    @overload
    def __getitem__(self, index: int) -> JobModel: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[JobModel, ...]: ...
    def __getitem__(self, index: int | slice) -> JobModel | tuple[JobModel, ...]:
        return self.models[index]

    def __len__(self) -> int:
        return len(self.models)

    def __iter__(self) -> Iterator[JobModel]:
        return iter(self.models)

    @property
    def winner(self) -> JobModel | None:
        """The model that won, if one did."""
        return next((model for model in self.models if model.is_winner), None)

    def _repr_html_(self) -> str:
        return _shown(self)._repr_html_()

    def __repr__(self) -> str:
        return _shown(self).text


def models_of(story: JobStory) -> tuple[JobModel, ...]:
    """Return the opened models of a job, the best announced first."""
    opened = [bid for bid in story.bids if bid.model is not None]
    return tuple(_model(story, bid) for bid in sorted(opened, key=lambda bid: bid.rank))


def show_contents(contents: Contents, caption: str) -> Shown:
    """Return what a model's file says of itself."""
    rows = contents.rows[:ROWS_SHOWN]
    left_out = len(contents.rows) - len(rows) + contents.left_out
    columns = [
        Column(name, wraps=name in {"name", "type", "what it asks for"})
        for name in contents.columns
    ]
    return stack(
        paragraph(f"{caption}: {contents.what}"),
        *([table("", columns, rows, empty="")] if rows else []),
        *([paragraph(f"{left_out:,} more are not shown.", "dim")] if left_out else []),
        *([facts("Written beside it", contents.params[:ROWS_SHOWN])] if contents.params else []),
        *([paragraph(contents.warning, "bad")] if contents.warning else []),
    )


def _model(story: JobStory, bid: BidView) -> JobModel:
    assert bid.model is not None, "the bid is opened"
    means = [
        verdict.mean
        for verdict in story.verdicts
        if verdict.candidate == bid.bidder and verdict.mean is not None
    ]
    return JobModel(
        bidder=bid.bidder,
        rank=bid.rank,
        loss=bid.loss,
        found=median_low(means) if means else None,
        evaluations=len(means),
        digest=bid.model,
        size=bid.model_bytes or 0,
        model_format=story.request.model_format,
        is_winner=bid.bidder == story.summary.winner,
        standing=bid.void_text or bid.standing,
        is_void=bool(bid.void_code),
    )


def _shown(models: JobModels) -> Shown:
    empty = "No model is known yet: bids are opened when bidding is over."
    unopened = (
        f"Of {models.unopened} more bids nobody has seen the model." if models.unopened else ""
    )
    return stack(
        table(
            f"Models of job {short_job(models.job)}",
            _COLUMNS,
            [_row(model) for model in models.models[:ROWS_SHOWN]],
            empty=empty,
        ),
        *([paragraph(unopened, "dim")] if unopened and models.models else []),
        *(
            [show_contents(models.contents, "The winner's file, not loaded")]
            if models.contents
            else []
        ),
        *([paragraph(models.problem, "bad")] if models.problem else []),
    )


def _row(model: JobModel) -> Row:
    many = f" ({model.evaluations} ×)" if model.evaluations > 1 else ""
    return (
        str(model.rank),
        short(model.bidder),
        _standing(model),
        show_loss(model.loss),
        show_loss(model.found) + many,
        show_bytes(model.size),
        model.model_format.value,
        model.digest[:12],
    )


def _standing(model: JobModel) -> Cell:
    if model.is_winner:
        return Cell("winner", "good")
    return Cell(model.standing, "bad" if model.is_void else "")
