"""Where the rules put what they want done, in order, and what they want again if unanswered."""

from lc_node.chain.types import Millis, MillisSpan, PublicKey
from lc_node.consensus.messages import GetBlock, GetBlocks, GetCertificates, Message
from lc_node.consensus.outputs import Audience, Output, Send


class Outbox:
    """Outputs in order, drained once an input is fully dealt with."""

    def __init__(self) -> None:
        """Start empty."""
        self._outputs: list[Output] = []

    def put(self, *outputs: Output) -> None:
        """Add outputs."""
        self._outputs.extend(outputs)

    def send(self, to: PublicKey | Audience, message: Message) -> None:
        """Add a message to send."""
        self._outputs.append(Send(to=to, message=message))

    def drain(self) -> list[Output]:
        """Take all outputs."""
        outputs, self._outputs = self._outputs, []
        return outputs


class Questions:
    """What was asked and when to ask again: the best peer first, then anyone (D.3)."""

    def __init__(self, outbox: Outbox, retry: MillisSpan) -> None:
        """Ask through ``outbox``, each question at most once in ``retry``."""
        self._outbox = outbox
        self._retry = retry
        self._again_at: dict[GetBlock | GetBlocks | GetCertificates, Millis] = {}

    def ask(
        self,
        question: GetBlock | GetBlocks | GetCertificates,
        best: PublicKey | None,
        now: Millis,
    ) -> None:
        """Ask now, unless it was asked a moment ago."""
        again_at = self._again_at.get(question)
        if again_at is not None and now < again_at:
            return
        self._again_at[question] = Millis(now + self._retry)
        is_first = again_at is None and best is not None
        self._outbox.send(best if best is not None and is_first else Audience.ANYONE, question)

    def is_open(self, question: GetBlock) -> bool:
        """Return whether this was asked and may still be answered."""
        return question in self._again_at

    def forget(self, now: Millis) -> None:
        """Drop what is due but was not asked again: nobody wants to know any more."""
        self._again_at = {q: at for q, at in self._again_at.items() if at > now}

    def next_at(self) -> Millis | None:
        """Return when the next question is to be asked again."""
        return min(self._again_at.values(), default=None)
