"""The certificates a node holds, and what follows from them (docs/CONSENSUS.md, B and D.2)."""

from dataclasses import dataclass
from typing import Final

from lc_node.chain.types import BlockId, View
from lc_node.chain.votes import Certificate, VoteKind

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
_BEST_FIRST: Final = (FINALIZE, NOTARIZE, NULLIFY)


@dataclass(frozen=True, slots=True)
class Foundation:
    """What a proposal may build on: a notarized view, every view since being nullified."""

    view: View
    block_id: BlockId
    justification: tuple[Certificate, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """The views, first and last, of which a certificate is lacking."""

    first: View
    last: View


class CertificateBook:
    """Certificates from the last finalised view on."""

    def __init__(self, root: BlockId) -> None:
        """Start with N[0], the block before the epoch."""
        self._root = root
        self._held: dict[tuple[VoteKind, View], Certificate] = {}
        self.finalized = View(0)
        """The highest view with a finalisation."""

    @property
    def finalization(self) -> Certificate | None:
        """The finalisation of the highest view, None before the first."""
        return self._held.get((FINALIZE, self.finalized))

    @property
    def last_notarized(self) -> View:
        """The highest view with a notarised block."""
        return max((view for kind, view in self._held if kind is not NULLIFY), default=View(0))

    def has(self, kind: VoteKind, view: View) -> bool:
        """Return whether this certificate is held."""
        return (kind, view) in self._held

    def get(self, kind: VoteKind, view: View) -> Certificate | None:
        """Return a certificate if it is held."""
        return self._held.get((kind, view))

    def add(self, certificate: Certificate) -> None:
        """Hold a valid certificate of a view above the finalised one."""
        self._held[certificate.kind, certificate.view] = certificate
        if certificate.kind is FINALIZE:
            self.finalized = certificate.view
            self._held = {
                key: held for key, held in self._held.items() if key[1] >= self.finalized
            }

    def notarized(self, view: View) -> BlockId | None:
        """Return the block notarised in a view; a finalisation counts as a notarisation."""
        if view == 0:
            return self._root
        held = self.get(FINALIZE, view) or self.get(NOTARIZE, view)
        return held.subject.block_id if held else None

    def entry(self, view: View) -> Certificate | None:
        """Return the certificate by which a view is entered: one of the view before."""
        held = (self.get(kind, View(view - 1)) for kind in _BEST_FIRST)
        return next((certificate for certificate in held if certificate), None)

    def foundation(self, view: View) -> Foundation | Gap:
        """Return what the view's leader builds on (D.2), walking down from the view before."""
        nullified: list[Certificate] = []
        below = View(view - 1)
        while (block_id := self.notarized(below)) is None:
            certificate = self.get(NULLIFY, below)
            if certificate is None:
                return Gap(below, below)
            nullified.append(certificate)
            below = View(below - 1)
        parent = self.entry(View(below + 1)) if below else None
        return Foundation(below, block_id, ((parent,) if parent else ()) + tuple(nullified))

    def parent(self, parent_view: View, view: View) -> BlockId | Gap:
        """Return the block notarised in ``parent_view`` if all views up to ``view`` are nullified.

        Else the views, first and last, of which certificates are lacking (D.3 a and b).
        """
        lacking = [View(w) for w in range(parent_view + 1, view) if not self.has(NULLIFY, View(w))]
        block_id = self.notarized(parent_view)
        if block_id is None:
            lacking.insert(0, parent_view)
        return block_id if block_id is not None and not lacking else Gap(lacking[0], lacking[-1])

    def between(self, first: View, last: View, limit: int) -> tuple[Certificate, ...]:
        """Return at most ``limit`` held certificates of the views ``first`` to ``last``."""
        keys = sorted((view, kind) for kind, view in self._held if first <= view <= last)
        return tuple(self._held[kind, view] for view, kind in keys[:limit])
