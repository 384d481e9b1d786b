"""``lc-node image list``, ``load``, ``save`` and ``remove``: what is kept, from and to files."""

from pathlib import Path
from typing import Final

import click

from lc_node.api import calls
from lc_node.api.schema import Digest
from lc_node.api.schema_images import ImageView
from lc_node.cli.images import find_image, open_blob, pulling_text, put_image, read_blob
from lc_node.cli.options import connect, home_option, json_option
from lc_node.cli.output import print_json, print_table
from lc_node.cli.wording import bytes_text, short_id
from lc_node.runtime.image_files import opened_image, write_archive

_DIGEST_SHOWN: Final = 12
image_argument = click.argument("image")


@click.command(name="list")
@home_option
@json_option
def list_images(home: Path | None, *, as_json: bool) -> None:
    """The images that are kept here, and those of jobs that are not over."""
    with connect(home) as client:
        images = client.call(calls.GetImages())
    if as_json:
        print_json(images)
        return
    rows = [
        (
            each.image[:_DIGEST_SHOWN],
            ", ".join(each.names) or "-",
            str(each.layers),
            bytes_text(each.total_bytes),
            _state(each),
            ", ".join(map(short_id, each.jobs)) or "-",
        )
        for each in images
    ]
    columns = ("image", "names", "layers", "size", "state", "jobs")
    empty = "No images; `lc-node image pull REFERENCE` or `lc-node image load FILE` brings one."
    print_table(columns, rows, empty=empty)


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--name", default="", help="What to call it here.")
@click.option("--which", default="", help="Which image of FILE, by what FILE calls it.")
@home_option
@json_option
def load(file: Path, name: str, which: str, home: Path | None, *, as_json: bool) -> None:
    """Keep an image of FILE: an archive of `docker save`, an OCI archive, or a folder with an OCI layout."""
    with connect(home) as client, opened_image(file, which) as found:
        digest = put_image(client, found)
        kept = client.call(calls.KeepImage(image=digest, name=name))
    if as_json:
        print_json(kept)
        return
    click.echo(f"sha256:{kept.image}")
    if found.calls_itself and not name:
        click.echo(
            f"The file calls it {', '.join(found.calls_itself)}; --name gives it a name here.",
            err=True,
        )


@click.command()
@image_argument
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--name", default=None, help="What Docker is to call it [default: its first name here]."
)
@home_option
def save(image: str, file: Path, name: str | None, home: Path | None) -> None:
    """Write IMAGE into a new FILE that `docker load` takes, and that is an OCI archive as well."""
    with connect(home) as client:
        found = find_image(client, image)
        manifest = read_blob(client, found.image)
        called = name if name is not None else next(iter(found.names), "")
        try:
            with file.open("xb") as target:
                write_archive(
                    manifest,
                    lambda blob: open_blob(client, Digest(blob.removeprefix("sha256:"))),
                    target,
                    name=called,
                )
        except FileExistsError:
            message = f"{file} exists already; name a new file."
            raise click.ClickException(message) from None
        except BaseException:
            file.unlink(missing_ok=True)
            raise
    click.echo(f"{file}: {file.stat().st_size:,} bytes, sha256:{found.image}")


@click.command()
@image_argument
@home_option
def remove(image: str, home: Path | None) -> None:
    """Forget IMAGE, and delete of it what nothing else here needs."""
    with connect(home) as client:
        removed = client.call(calls.RemoveImage(image=find_image(client, image).image))
    click.echo(f"Removed sha256:{removed.image}; {bytes_text(removed.freed_bytes)} freed.")


def _state(image: ImageView) -> str:
    if image.problem:
        return image.problem
    if image.is_pulled_now:
        return pulling_text(image)
    if image.missing_bytes:
        return f"{bytes_text(image.missing_bytes)} missing"
    return "kept" if image.is_kept else "of a job"


COMMANDS: Final[tuple[click.Command, ...]] = (list_images, load, save, remove)
