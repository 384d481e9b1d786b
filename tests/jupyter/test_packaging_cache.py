"""Layers on disk are whole or absent, shared by kernels, and bounded."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from lc_jupyter.packaging.layer_cache import LayerCache
from lc_node.oci.layers import WrittenLayer, file_of, write_layer


def layer(content: bytes, file: BinaryIO) -> WrittenLayer:
    return write_layer([file_of("a", content)], file.write, gzip=False)


def store(cache: LayerCache, key: str, content: bytes) -> WrittenLayer:
    return cache.store(key, lambda file: layer(content, file))


def test_a_stored_layer_is_found_by_its_key(tmp_path: Path) -> None:
    stored = store(LayerCache(tmp_path), "k", b"x")

    assert LayerCache(tmp_path).find("k") == stored


def test_a_layer_whose_blob_was_removed_is_not_found(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path)
    cache.blob(store(cache, "k", b"x").digest).unlink()

    assert cache.find("k") is None


def test_a_damaged_note_is_as_good_as_none(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path)
    store(cache, "k", b"x")
    (tmp_path / "keys" / "k.json").write_text("{")

    assert cache.find("k") is None


def test_a_layer_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    def fail(file: BinaryIO) -> WrittenLayer:
        file.write(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        LayerCache(tmp_path).store("k", fail)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_kernels_that_store_the_same_layer_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: store(LayerCache(tmp_path), "k", b"x"), range(40)))

    assert found == {LayerCache(tmp_path).find("k")}


def test_over_the_limit_the_longest_unused_layers_go_first(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path, bytes_max=25_000)
    for age, key in enumerate(("new", "middle", "old"), start=1):
        written = store(cache, key, key.encode() * 3000)
        os.utime(cache.blob(written.digest), (age * -10_000 + 100_000,) * 2)

    cache.trim()

    assert [key for key in ("new", "middle", "old") if cache.find(key)] == ["new"]


def test_what_was_used_just_now_stays_even_over_the_limit(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path, bytes_max=1)
    store(cache, "k", b"x")

    cache.trim()

    assert cache.find("k")


def test_a_note_is_computed_once(tmp_path: Path) -> None:
    cache = LayerCache(tmp_path)
    values = iter([["first"], ["second"]])

    assert [cache.note("k", lambda: next(values)) for _ in range(2)] == [["first"], ["first"]]
