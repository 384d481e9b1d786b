"""What a node tells of images: those that it keeps for its owner, and those of jobs."""

from typing import Annotated

import msgspec

from lc_node.api.schema import Digest, JobId, Part

ImageName = Annotated[
    str, msgspec.Meta(max_length=256, pattern=r"^([A-Za-z0-9][A-Za-z0-9._/:@-]*)?$")
]
"""What an owner calls an image: any word, or a reference to a registry; may be empty."""


RegistryReference = Annotated[str, msgspec.Meta(max_length=512)]
"""An image in a registry: ``HOST[:PORT]/NAME[:TAG][@DIGEST]``, read as Docker reads it."""


class ImageView(Part):
    """An image whose manifest the node holds."""

    image: Digest
    """Of its manifest: the image's identity."""
    names: tuple[str, ...] = ()
    """What the owner calls it."""
    is_kept: bool = False
    """Whether the owner brought it: it stays until it is removed."""
    jobs: tuple[JobId, ...] = ()
    """The jobs that run it and are not over: their image stays as well."""
    layers: int = 0
    total_bytes: int = 0
    """Of its configuration and its layers, as they travel."""
    missing_bytes: int = 0
    """Of those, what is not here."""
    is_pulled_now: bool = False
    """Whether it is on its way in from a registry: ``missing_bytes`` then tells how far it is."""
    problem: str = ""
    """Why it cannot be used; empty if it can."""


class RemovedImage(Part):
    """What removing an image has freed."""

    image: Digest
    freed_bytes: int
