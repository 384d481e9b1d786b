"""Layers of honest images, unpacked."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lc_node.adapters.oci_unpack import MOUNT_POINTS, unpack
from tests.adapters.archives import (
    END,
    folder,
    gzip,
    hard_link,
    member,
    pax,
    plan,
    prepared,
    symlink,
    unpacked,
)


def test_files_folders_and_links_are_made(image_root: Path) -> None:
    layer = (
        folder("./")
        + folder("./usr/")
        + member("usr/a", b"text")
        + member("usr/b", b"", mode=0o755)
        + symlink("lib", "usr")
        + hard_link("usr/c", "./usr/a")
    )
    assert "bytes" in unpacked(image_root, layer + END)

    assert (image_root / "usr" / "a").read_text() == "text"
    assert stat.S_IMODE((image_root / "usr" / "b").stat().st_mode) == 0o755
    assert (image_root / "lib").readlink() == Path("usr")
    assert (image_root / "usr" / "c").samefile(image_root / "usr" / "a")


@pytest.mark.parametrize("compress", [False, True])
def test_a_layer_needs_no_end_marker(image_root: Path, compress: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert "bytes" in unpacked(image_root, member("a", b"x" * 5000), compress=compress)

    assert (image_root / "a").stat().st_size == 5000


def test_a_compressed_layer_may_have_several_members(image_root: Path) -> None:
    tar = member("a", b"x" * 3000) + END
    todo = prepared(image_root, tar, compress=True)
    Path(todo["layers"][0]["path"]).write_bytes(gzip(tar[:700]) + gzip(b"") + gzip(tar[700:]))

    assert "bytes" in unpack(todo)


def test_the_places_that_are_mounted_over_are_there(image_root: Path) -> None:
    unpacked(image_root, END)

    assert all((image_root / place).is_dir() for place in MOUNT_POINTS)


def test_long_names_are_read_in_both_ways(image_root: Path) -> None:
    gnu, posix = "g" * 150, "p" * 150
    layer = (
        member("././@LongLink", gnu.encode() + b"\0", kind=b"L")
        + member(gnu[:100], b"1")
        + pax({"path": posix, "mtime": "1.5"})
        + member("short", b"2")
    )
    unpacked(image_root, layer + END)

    assert (image_root / gnu).read_text() == "1"
    assert (image_root / posix).read_text() == "2"


def test_a_later_layer_replaces_and_removes(image_root: Path) -> None:
    below = folder("d") + member("d/old", b"") + member("d/gone", b"") + member("f", b"1")
    above = member("d/.wh.gone") + member("f", b"2") + member(".wh.nothing")
    assert "bytes" in unpacked(image_root, below + END, above + END)

    assert [path.name for path in (image_root / "d").iterdir()] == ["old"]
    assert (image_root / "f").read_text() == "2"


def test_an_opaque_folder_hides_only_what_lies_below(image_root: Path) -> None:
    below = member("d/old/deep", b"")
    above = member("d/new", b"") + member("d/.wh..wh..opq")
    unpacked(image_root, below + END, above + END)

    assert [path.name for path in (image_root / "d").iterdir()] == ["new"]


def test_a_replaced_name_leaves_the_file_under_its_other_name(image_root: Path) -> None:
    below = member("a", b"1") + hard_link("b", "a")
    unpacked(image_root, below + END, member("b", b"2") + END)

    assert (image_root / "a").read_text() == "1"


def test_what_an_image_keeps_to_itself_is_readable_to_the_job(image_root: Path) -> None:
    unpacked(image_root, member("secret", b"", mode=0) + folder("d", mode=0) + END)

    assert stat.S_IMODE((image_root / "secret").stat().st_mode) == 0o644
    assert stat.S_IMODE((image_root / "d").stat().st_mode) == 0o755


@pytest.fixture
def worn_out(tmp_path: Path) -> Iterator[Path]:
    """A tree whose program has all the links that the file system allows (ext4: 65,000), if it has a limit."""
    tree, links = tmp_path / "below", tmp_path / "links"
    (tree / "bin").mkdir(parents=True)
    links.mkdir()
    program = tree / "bin" / "program"
    program.write_bytes(b"elf")
    program.chmod(0o755)
    try:
        for number in range(70_000):
            os.link(program, links / str(number))
    except OSError as error:
        assert error.errno == errno.EMLINK  # noqa: PT017  # any other would be the test's own fault
    yield tree
    shutil.rmtree(links)


def test_a_file_whose_links_others_used_up_is_copied_once(
    image_root: Path, worn_out: Path
) -> None:
    image_root.parent.mkdir()
    layer = hard_link("bin/other", "bin/program")
    answer = unpack({**plan(image_root, layer + END), "start_from": str(worn_out)})
    program, other = image_root / "bin" / "program", image_root / "bin" / "other"

    assert "bytes" in answer
    assert (program.read_bytes(), stat.S_IMODE(program.stat().st_mode)) == (b"elf", 0o755)
    assert program.samefile(other)


def test_a_hard_link_to_a_file_whose_links_others_used_up_is_a_copy(
    image_root: Path, worn_out: Path
) -> None:
    (worn_out.parent / "links" / "0").unlink()
    image_root.parent.mkdir()
    layer = hard_link("bin/other", "bin/program")
    answer = unpack({**plan(image_root, layer + END), "start_from": str(worn_out)})
    other = image_root / "bin" / "other"

    assert "bytes" in answer
    assert (other.read_bytes(), stat.S_IMODE(other.stat().st_mode)) == (b"elf", 0o755)
