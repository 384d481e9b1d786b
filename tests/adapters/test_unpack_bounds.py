"""Layers that want too much: of the disk, of memory, of time."""

import time
from pathlib import Path

from lc_node.adapters.layer_stream import MEMBERS_MAX
from lc_node.adapters.oci_unpack import HARD_LINKS_MAX, unpack
from lc_node.adapters.tar_entries import EXTENSION_BYTES_MAX, EXTENSIONS_MAX
from tests.adapters.archives import (
    END,
    folder,
    gzip,
    hard_link,
    member,
    pax,
    prepared,
    unpacked,
)

CPU_SECONDS_MAX = 5
"""Each layer below that is measured takes less than a second; before it was bounded it took minutes."""


def test_a_layer_that_inflates_too_much_is_refused(image_root: Path) -> None:
    answer = unpacked(image_root, member("x", bytes(64 << 20)), compress=True)

    assert answer == {"refused": "layer 1 has a layer compressed more than 200 times"}


def test_an_image_that_unpacks_to_more_than_allowed_is_refused(image_root: Path) -> None:
    layer = member("a", bytes(60_000)) + member("b", bytes(60_000))

    assert "when unpacked" in unpacked(image_root, layer, unpacked_bytes=100_000)["refused"]


def test_many_small_files_count_as_the_blocks_they_take(image_root: Path) -> None:
    layer = b"".join(member(str(number), b"x") for number in range(30))

    assert "when unpacked" in unpacked(image_root, layer, unpacked_bytes=100_000)["refused"]


def test_what_follows_the_end_marker_is_limited_too(image_root: Path) -> None:
    answer = unpacked(image_root, END + bytes(300_000), unpacked_bytes=100_000)

    assert "a layer of more than" in answer["refused"]


def test_an_image_that_links_one_file_too_often_is_refused(image_root: Path) -> None:
    links = b"".join(hard_link(f"x/{n}", "file") for n in range(HARD_LINKS_MAX + 1))

    answer = unpacked(image_root, member("file") + links + END, entries=2 * HARD_LINKS_MAX)

    assert answer["refused"] == f"layer 1 has more than {HARD_LINKS_MAX} hard links to one file"


def test_an_image_of_too_many_files_is_refused(image_root: Path) -> None:
    layer = b"".join(member(str(number)) for number in range(101))

    assert "too many entries" in unpacked(image_root, layer, entries=100)["refused"]


def test_entries_count_also_when_they_make_nothing_new(image_root: Path) -> None:
    layer = member("x") + folder("d") * 50 + member(".wh.x") * 50

    assert "too many entries" in unpacked(image_root, layer, entries=100)["refused"]


def test_the_files_of_all_layers_count_together(image_root: Path) -> None:
    layers = [member(str(layer)) * 40 for layer in range(3)]

    assert "layer 3 has too many" in unpacked(image_root, *layers, entries=100)["refused"]


def test_folders_that_only_paths_name_count_too(image_root: Path) -> None:
    """A path of 64 parts could make 63 folders."""
    layer = b"".join(
        pax({"path": f"{number}/" + "d/" * 60 + "x"}) + member("x") for number in range(3)
    )

    assert "too many entries" in unpacked(image_root, layer, entries=100)["refused"]


def test_headers_that_belong_to_no_entry_are_refused(image_root: Path) -> None:
    layer = pax({"comment": "x"}) * (EXTENSIONS_MAX + 1)

    assert "extension headers before an entry" in unpacked(image_root, layer)["refused"]


def test_a_compression_in_too_many_pieces_is_refused(image_root: Path) -> None:
    todo = prepared(image_root, b"", compress=True)
    Path(todo["layers"][0]["path"]).write_bytes(gzip(b"") * (MEMBERS_MAX + 1))

    assert f"more than {MEMBERS_MAX} pieces" in unpack(todo)["refused"]


def test_the_most_records_that_a_header_can_hold_are_read_in_time(image_root: Path) -> None:
    record = b"6 a=b\n"
    headers = member("pax", record * (EXTENSION_BYTES_MAX // len(record)), kind=b"x")
    began = time.process_time()

    assert "bytes" in unpacked(image_root, headers * 2 + member("x"))
    assert time.process_time() - began < CPU_SECONDS_MAX


def test_a_folder_that_is_opaque_again_and_again_is_read_once(image_root: Path) -> None:
    files = b"".join(member(f"d/{number}") for number in range(1000))
    again = member("d/.wh..wh..opq") * 10_000
    began = time.process_time()

    assert "bytes" in unpacked(image_root, files + again, entries=20_000)
    assert time.process_time() - began < CPU_SECONDS_MAX


def test_many_small_entries_are_read_in_time(image_root: Path) -> None:
    """To copy what is left of each megabyte for each header was quadratic."""
    began = time.process_time()

    assert "bytes" in unpacked(image_root, member(".wh.x") * 30_000, entries=30_010)
    assert time.process_time() - began < CPU_SECONDS_MAX
