"""Predictions by a model that must not be loaded here: it runs in the node's sandbox, and plain data comes back."""

import io
from collections.abc import Sequence
from hashlib import sha256

from lc_jupyter.errors import UserError
from lc_jupyter.runner.plain import NotPlain, decode, encode
from lc_jupyter.units import show_bytes
from lc_node.api.calls import Predict
from lc_node.api.client import Client
from lc_node.api.schema import PREDICT_INPUTS_BYTES_MAX, Digest, JobId
from lc_node.api.schema_jobs import CheckProblem, Prediction
from lc_node.api.uploading import put_blob


def predict(client: Client, job: JobId, data: Sequence[object]) -> object:
    """Return what the winner's model of a job makes of some data, in the sandbox of the own node.

    Raises:
        UserError: the data is not plain or too large, or the run failed; the message says what to change.
        ApiError: the node refuses, by name.
    """
    inputs = _encoded(data)
    digest = Digest(sha256(inputs).hexdigest())
    put_blob(client, io.BytesIO(inputs), digest=digest, size=len(inputs))
    answer = client.call(Predict(job=job, inputs=digest))
    if answer.problem is not CheckProblem.NONE:
        raise UserError(_explain(answer))
    try:
        return decode(answer.data)
    except NotPlain as error:
        message = f"What came back of the sandbox is no plain data ({error}): the model may have written it itself."
        raise UserError(message) from error
    except ModuleNotFoundError as error:
        message = f"What was predicted needs {error.name} here: install it, or let predict(model, data) return lists."
        raise UserError(message) from error


def _encoded(data: Sequence[object]) -> bytes:
    try:
        inputs = encode(list(data))
    except NotPlain as error:
        message = f"{error}. Only plain data goes into the sandbox."
        raise UserError(message) from error
    if len(inputs) > PREDICT_INPUTS_BYTES_MAX:
        message = (
            f"The data has {show_bytes(len(inputs))}, one prediction takes {show_bytes(PREDICT_INPUTS_BYTES_MAX)} "
            "at most: predict in parts, such as [job.predict(part) for part in np.array_split(data, 10)]."
        )
        raise UserError(message)
    return inputs


def _explain(answer: Prediction) -> str:
    """Return why there is no prediction, with the run's last words."""
    if answer.problem in {CheckProblem.NO_SANDBOX, CheckProblem.IMAGE_REFUSED}:
        return answer.text
    said = {
        CheckProblem.TIMED_OUT: "it took longer than an evaluation of this job may: predict less at once.",
        CheckProblem.OUT_OF_MEMORY: "it ran out of the job's memory: predict less at once.",
        CheckProblem.BAD_OUTPUT: f"it left nothing that could be taken, or too much ({answer.text}).",
    }
    why = said.get(answer.problem, f"{answer.text}.")
    tail = f"\nIts last words:\n{answer.log_tail}" if answer.log_tail else ""
    return f"The model did not predict in the sandbox: {why}{tail}"
