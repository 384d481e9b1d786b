"""The owner's images keep their names over restarts."""

from pathlib import Path

import pytest

from lc_node.chain.crypto import sha256
from lc_node.chain.types import Digest
from lc_node.runtime.image_catalogue import (
    NAMES_MAX,
    BadCatalogue,
    ImageCatalogue,
    TooManyImages,
)

ONE, TWO = sha256(b"one"), sha256(b"two")


def kept(path: Path) -> dict[Digest, tuple[str, ...]]:
    return dict(ImageCatalogue(path).images)


def test_images_and_their_names_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    catalogue = ImageCatalogue(path)
    catalogue.add(ONE, "first")
    catalogue.add(TWO, "")
    catalogue.add(ONE, "again")
    catalogue.add(ONE, "again")

    assert kept(path) == {TWO: (), ONE: ("first", "again")}


def test_a_name_belongs_to_the_image_that_was_given_it_last(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    catalogue = ImageCatalogue(path)
    catalogue.add(ONE, "name")
    catalogue.add(TWO, "name")

    assert kept(path) == {ONE: (), TWO: ("name",)}


def test_a_removed_image_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    catalogue = ImageCatalogue(path)
    catalogue.add(ONE, "name")
    catalogue.remove(ONE)
    catalogue.remove(TWO)

    assert kept(path) == {}


def test_an_image_has_so_many_names_only(tmp_path: Path) -> None:
    catalogue = ImageCatalogue(tmp_path / "names.json")
    for number in range(NAMES_MAX):
        catalogue.add(ONE, f"name-{number}")

    with pytest.raises(TooManyImages, match="image remove"):
        catalogue.add(ONE, "one more")
    assert len(catalogue.images[ONE]) == NAMES_MAX


def test_a_damaged_list_is_named(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    path.write_text("{")

    with pytest.raises(BadCatalogue, match="delete it"):
        ImageCatalogue(path)
