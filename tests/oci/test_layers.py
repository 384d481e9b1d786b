"""A layer's bytes depend on its entries alone, and any tar reader can read them."""

import gzip
import hashlib
import io
import tarfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_node.oci.layers import (
    Entry,
    FileEntry,
    FolderEntry,
    InvalidEntry,
    LinkEntry,
    WrittenLayer,
    file_of,
    tar_pieces,
    write_layer,
)


def written(entries: list[Entry], *, compressed: bool = False) -> tuple[bytes, WrittenLayer]:
    out = io.BytesIO()
    layer = write_layer(entries, out.write, gzip=compressed)
    return out.getvalue(), layer


def members(entries: list[Entry]) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(written(entries)[0])) as tar:
        return tar.getmembers()


def test_the_order_of_entries_does_not_matter() -> None:
    entries: list[Entry] = [
        file_of("b/x", b"1"),
        LinkEntry(path="a", target="b"),
        file_of("c", b""),
    ]

    assert written(entries) == written(entries[::-1])


def test_folders_above_a_file_are_written_before_it() -> None:
    assert [m.name for m in members([file_of("a/b/c", b"")])] == ["a", "a/b", "a/b/c"]


def test_a_folder_comes_right_before_what_it_holds() -> None:
    found = members([file_of("a/x", b""), file_of("a-b", b""), file_of("a.c", b"")])

    assert [m.name for m in found] == ["a", "a/x", "a-b", "a.c"]


def test_nobody_owns_an_entry_and_its_time_is_zero() -> None:
    for member in members([file_of("a/b", b"x", 0o755), LinkEntry(path="l", target="a")]):
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
        assert member.mtime == 0


def test_modes_and_targets_are_kept() -> None:
    entries: list[Entry] = [
        FolderEntry(path="tmp", mode=0o1777),
        LinkEntry(path="l", target="/x"),
        file_of("p", b"", 0o755),
    ]

    assert [(m.name, m.mode, m.linkname) for m in members(entries)] == [
        ("l", 0o777, "/x"),
        ("p", 0o755, ""),
        ("tmp", 0o1777, ""),
    ]


def test_a_long_name_and_a_name_outside_ascii_read_back() -> None:
    long = "/".join(["folder" * 10] * 5) + "/ä日"

    assert members([file_of(long, b"x")])[-1].name == long


def test_a_file_read_in_pieces_equals_the_same_file_at_hand() -> None:
    piecewise = FileEntry(path="a", size=1000, content=lambda: iter([b"x" * 600, b"x" * 400]))

    assert written([piecewise]) == written([file_of("a", b"x" * 1000)])


def test_a_compressed_layer_has_no_time_and_inflates_to_the_tar() -> None:
    plain, plain_layer = written([file_of("a", b"x" * 5000)])
    packed, layer = written([file_of("a", b"x" * 5000)], compressed=True)

    assert gzip.decompress(packed) == plain
    assert packed[4:8] == bytes(4)
    assert layer == WrittenLayer(
        diff_id=plain_layer.diff_id,
        tar_bytes=len(plain),
        digest=f"sha256:{hashlib.sha256(packed).hexdigest()}",
        size=len(packed),
    )


def test_a_plain_layer_is_named_by_its_tar() -> None:
    data, layer = written([file_of("a", b"x")])

    assert layer.digest == layer.diff_id == f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_the_tar_is_as_it_always_was() -> None:
    data, _ = written([file_of("opt/a.py", b"print()\n"), LinkEntry(path="bin", target="opt")])

    assert zlib.crc32(data) == 3969307826


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a\0b"])
def test_a_path_that_is_not_plain_is_refused(path: str) -> None:
    with pytest.raises(InvalidEntry, match="plain"):
        written([file_of(path, b"")])


def test_a_path_given_twice_is_refused() -> None:
    with pytest.raises(InvalidEntry, match="twice"):
        written([file_of("a", b""), LinkEntry(path="a", target="b")])


def test_a_file_below_a_file_is_refused() -> None:
    with pytest.raises(InvalidEntry, match="no folder"):
        written([file_of("a", b""), file_of("a/b", b"")])


def test_a_file_that_changed_while_it_was_read_is_refused() -> None:
    with pytest.raises(InvalidEntry, match="did it change"):
        written([FileEntry(path="a", size=3, content=lambda: iter([b"xx"]))])


@given(st.dictionaries(st.text("abc-.é", min_size=1, max_size=6), st.binary(max_size=1100)))
@settings(max_examples=50, deadline=None)
def test_what_was_written_reads_back(files: dict[str, bytes]) -> None:
    named = {f"d/{name}x": data for name, data in files.items()}

    tar = b"".join(tar_pieces([file_of(path, data) for path, data in named.items()]))

    with tarfile.open(fileobj=io.BytesIO(tar)) as found:
        read = {m.name: found.extractfile(m) for m in found if m.isfile()}
        assert {name: file.read() for name, file in read.items() if file} == named
