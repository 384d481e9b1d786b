"""Everything the API asks of a node, answered from its parts."""

from lc_node.api import calls, schema
from lc_node.runtime.blob_door import BlobDoor
from lc_node.runtime.config import WorkConfig
from lc_node.runtime.home import Home
from lc_node.runtime.image_catalogue import ImageCatalogue
from lc_node.runtime.image_door import ImageDoor
from lc_node.runtime.policy_file import (
    job_policy,
    read_policy,
    validate_policy,
    write_policy,
)
from lc_node.runtime.posting import Counter, Posting, find_job
from lc_node.runtime.predicting import Predicting
from lc_node.runtime.reading import Reading, View


class NodeService(Reading, Posting, Predicting, BlobDoor, ImageDoor):
    """Implements ``api.service.Service``."""

    def __init__(self, view: View, counter: Counter, *, home: Home, work: WorkConfig) -> None:
        """Answer from ``view``, post by ``counter``; the policy is kept in ``home``."""
        Reading.__init__(self, view)
        Posting.__init__(self, counter)
        Predicting.__init__(
            self,
            counter.ledger,
            counter.workshop,
            counter.blobs,
            counter.clock,
            counter.sandbox_problem,
        )
        BlobDoor.__init__(self, counter.blobs)
        ImageDoor.__init__(
            self,
            ImageCatalogue(home.image_names_path),
            images=counter.images,
            blobs=counter.blobs,
            registry=counter.workshop.registry,
            live_jobs=lambda: tuple(counter.ledger.state.live_jobs()),
        )
        self._view = view
        self._home = home
        self._work = work

    async def policy(self) -> schema.Policy:
        """Return which jobs this node takes."""
        return read_policy(self._home.policy_path, self._work)

    async def set_policy(self, call: calls.SetPolicy) -> schema.Policy:
        """Replace the policy; it holds from the next look on.

        Raises:
            BadAddress: a submitter's is mistyped.
            BadHours: the hours are none.
            BadPolicy: a number cannot be meant, or the machine has less than is offered.
        """
        validate_policy(call.policy, self._work.machine)
        policy = job_policy(call.policy)
        write_policy(self._home.policy_path, call.policy)
        self._view.jobs.policy = policy if call.policy.work else None
        self._view.jobs.wake()
        return call.policy

    async def stop_run(self, call: calls.StopRun) -> None:
        """End a job's run here, and take it no more."""
        self._view.jobs.stop(find_job(self._view.ledger, call.job).id)
