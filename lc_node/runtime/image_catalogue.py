"""Which images the owner has brought to this node: kept, and by what names, until the owner removes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec

from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import Digest

NAMES_MAX: Final = 16
"""Of one image."""

NAME_CHARS_MAX: Final = 256
IMAGES_MAX: Final = 10_000

_Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARS_MAX)]
_Kept = Annotated[
    dict[_Digest, Annotated[tuple[_Name, ...], msgspec.Meta(max_length=NAMES_MAX)]],
    msgspec.Meta(max_length=IMAGES_MAX),
]


class BadCatalogue(LearningChainError):
    """The list of images is damaged."""

    def __init__(self, path: Path, why: str) -> None:
        """Name the file and what is wrong."""
        super().__init__(
            f"{path} is damaged ({why}); delete it: images can be pulled or loaded again."
        )
        self.path = path


class TooManyImages(LearningChainError):
    """The list of images, or of one image's names, is full."""


class ImageCatalogue:
    """Images and their names, in a file."""

    def __init__(self, path: Path) -> None:
        """Read ``path`` if it is there.

        Raises:
            BadCatalogue: it is damaged.
        """
        self._path = path
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            kept = {}
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadCatalogue(path, str(error)) from error
        self._names = {Digest(bytes.fromhex(image)): names for image, names in kept.items()}

    @property
    def images(self) -> Mapping[Digest, tuple[str, ...]]:
        """The images' manifests, those added last at the end, with their names."""
        return self._names

    def add(self, image: Digest, name: str) -> None:
        """Keep an image; a name, unless it is empty, becomes its own and no other image's.

        Raises:
            TooManyImages: remove some first.
        """
        others = {
            other: tuple(each for each in names if each != name)
            for other, names in self._names.items()
        }
        names = (*others.pop(image, ()), *((name,) if name else ()))
        if len(names) > NAMES_MAX or len(others) >= IMAGES_MAX:
            raise TooManyImages("too many images or names; `lc-node image remove` some first")
        self._write({**others, image: names})

    def remove(self, image: Digest) -> None:
        """Forget an image and its names; one that is not there is forgotten already."""
        self._write({other: names for other, names in self._names.items() if other != image})

    def _write(self, names: dict[Digest, tuple[str, ...]]) -> None:
        text = msgspec.json.encode({image.hex(): each for image, each in names.items()})
        temporary = self._path.with_suffix(".new")
        temporary.write_bytes(msgspec.json.format(text, indent=2))
        temporary.replace(self._path)
        self._names = names
