"""Images between files and a node: archives and layouts in, one archive out; the command line's way to the adapters."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lc_node.adapters.oci_archive import ArchivedImage, open_archive, read_images
from lc_node.adapters.oci_archive_writer import write_archive

__all__ = ["ArchivedImage", "NoSuchImage", "opened_image", "write_archive"]

from lc_node.chain.errors import LearningChainError


class NoSuchImage(LearningChainError):
    """A file holds several images, or none of the name."""


@contextmanager
def opened_image(path: Path, name: str) -> Iterator[ArchivedImage]:
    """Open the image of a file: its only one, or the one that the file calls ``name``.

    Raises:
        ImageRefused: the file holds no image, or what it holds is malformed.
        NoSuchImage: it holds several, or none of that name; the message lists them.
    """
    with open_archive(path) as members:
        images = read_images(members, os.uname().machine)
        found = [image for image in images if not name or name in image.calls_itself]
        if len(found) != 1:
            listed = (
                ", ".join(each for image in images for each in image.calls_itself)
                or "none with a name"
            )
            wish = (
                f"none called {name}" if name else f"{len(images)} images; say which with --which"
            )
            raise NoSuchImage(f"{path} holds {wish}; there is {listed}")
        yield found[0]
