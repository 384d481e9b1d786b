"""A model copied out of the node into a file of the owner's, its digest checked on the way."""

from pathlib import Path

import click

from lc_node.api.schema_jobs import FetchedModel
from lc_node.cli.wording import short_id
from lc_node.oci.chunks import CHUNK_BYTES, chunk_digest, chunk_root


def default_name(job: str, model: FetchedModel) -> str:
    """Return the name of a model's file where its owner names none."""
    return f"model-{short_id(job)}.{model.model_format.value}"


def copy_model(model: FetchedModel, target: Path) -> None:
    """Copy a model to a new file.

    Raises:
        click.ClickException: the file exists or cannot be made, or the bytes are not the model's.
    """
    try:
        with Path(model.path).open("rb") as source, target.open("xb") as copy:
            digests = []
            while chunk := source.read(CHUNK_BYTES):
                digests.append(chunk_digest(chunk))
                copy.write(chunk)
    except OSError as error:
        message = f"{error.filename or target}: {error.strerror}; choose another file with --to."
        raise click.ClickException(message) from error
    if chunk_root(digests).hex() != model.root:
        target.unlink()
        message = f"{model.path} is not the winner's model any more; pull it again."
        raise click.ClickException(message)
