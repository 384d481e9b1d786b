"""A snapshot has the same bytes each time, tells nothing of this machine, and runs without it."""

import json
import tarfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from lc_jupyter.packaging.environment import Environment
from lc_jupyter.packaging.errors import EnvironmentChanged, IncludeRefused, SecretFound
from lc_jupyter.packaging.gathering import SnapshotRequest
from lc_jupyter.packaging.image import BuiltImage, build_image, build_planned, write_archive
from lc_jupyter.packaging.layer_cache import LayerCache
from lc_jupyter.packaging.snapshot import plan_snapshot
from lc_node.oci.manifest import decode_config, decode_manifest, validate_image
from tests.jupyter.cells import run_cell
from tests.jupyter.images import file_members, run_inside, unpack

pytestmark = pytest.mark.slow

CELL = """
    STEP = 1

    def train(trial):
        raise RuntimeError("as it must be")

    def evaluate(model):
        return [STEP]
"""


def request_of(cell: str = CELL) -> SnapshotRequest:
    names = run_cell(cell)
    return SnapshotRequest(
        train=names["train"], evaluate=names["evaluate"], model_format="raw", cell=cell
    )


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> LayerCache:
    return LayerCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory, cache: LayerCache) -> BuiltImage:
    return build_image(request_of(), tmp_path_factory.mktemp("blobs"), cache=cache)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory, image: BuiltImage) -> Path:
    return unpack(image, tmp_path_factory.mktemp("root"))


def test_built_twice_from_nothing_an_image_has_the_same_digest(
    image: BuiltImage, tmp_path: Path
) -> None:
    again = build_image(request_of(), tmp_path / "blobs", cache=LayerCache(tmp_path / "cache"))

    assert again.digest == image.digest


def test_a_second_build_reads_no_layer_again(
    image: BuiltImage, cache: LayerCache, tmp_path: Path
) -> None:
    again = build_image(request_of(), tmp_path, cache=cache)

    assert all(layer.was_cached for layer in again.layers)
    assert again.digest == image.digest


def test_a_changed_cell_changes_the_code_layer_alone(
    image: BuiltImage, cache: LayerCache, tmp_path: Path
) -> None:
    changed = build_image(request_of(CELL.replace("STEP = 1", "STEP = 2")), tmp_path, cache=cache)

    pairs = zip(image.layers, changed.layers, strict=True)
    assert [new.title for old, new in pairs if old.digest != new.digest] == ["code"]


def test_every_blob_has_the_digest_that_it_is_named_by(image: BuiltImage) -> None:
    for name, path in image.blobs.items():
        assert name == f"sha256:{sha256(path.read_bytes()).hexdigest()}"


def test_manifest_and_config_are_what_a_node_reads(image: BuiltImage) -> None:
    manifest, config = decode_manifest(image.manifest), decode_config(image.config)

    validate_image(manifest, config)
    assert config.argv == ("/opt/venv/bin/python", "-m", "lc_jupyter.runner")
    assert [layer.digest for layer in manifest.layers] == [layer.digest for layer in image.layers]


def test_nothing_in_a_layer_has_a_time_or_an_owner(image: BuiltImage) -> None:
    for layer in image.layers:
        with tarfile.open(layer.path) as tar:
            assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in tar} == {(0, 0, 0, "", "")}


def test_no_path_of_this_machine_is_in_any_file(image: BuiltImage) -> None:
    here = Environment.current()
    paths = [bytes(path) for path in (here.prefix, here.base_prefix, here.folder)]
    assert all(len(path) > 5 for path in paths), "too short to search for"

    found = [name for _, name, data in file_members(image) if any(p in data for p in paths)]

    assert found == []


def test_an_archive_of_the_image_is_the_same_each_time_and_names_its_manifest(
    image: BuiltImage, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        write_archive(image, tmp_path / name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with tarfile.open(tmp_path / "a") as tar:
        index = tar.extractfile("index.json")
        assert index
        assert json.load(index)["manifests"][0]["digest"] == image.digest
        assert tar.getmember(f"blobs/{image.digest.replace(':', '/')}").size == len(image.manifest)


def test_the_interpreter_runs_in_its_place_with_bytecode_locale_and_a_user(
    image: BuiltImage, root: Path
) -> None:
    program = """
import bz2, ctypes, hashlib, json, locale, lzma, pwd, sqlite3, ssl, sys, zlib
import multiprocessing.pool, decimal, uuid, zoneinfo
locale.setlocale(locale.LC_ALL, "")
modules = [m for m in sys.modules.values() if getattr(m, "__cached__", None)]
fresh = [open(m.__cached__, "rb").read(8)[4] for m in modules]
print(json.dumps([sys.prefix, sys.base_prefix, pwd.getpwuid(65534).pw_name, sorted(set(fresh)),
    json.loads.__code__.co_filename, sqlite3.connect(":memory:").execute("select 6*7").fetchone()[0]]))
"""
    version = Environment.current().version

    assert json.loads(run_inside(image, root, program)) == [
        "/opt/venv",
        "/opt/python",
        "nobody",
        [1],
        f"/opt/python/lib/python{version}/json/__init__.py",
        42,
    ]


def test_every_module_of_the_standard_library_that_is_shipped_loads_its_libraries(
    image: BuiltImage, root: Path
) -> None:
    program = """
import importlib, os, pathlib
folder = pathlib.Path(os.__file__).parent / "lib-dynload"
names = sorted(path.name.partition(".")[0] for path in folder.glob("*.so"))
for name in names:
    importlib.import_module(name)
print(len(names))
"""

    assert int(run_inside(image, root, program)) > 20


def test_a_traceback_in_the_image_shows_the_line_of_the_cell(
    image: BuiltImage, root: Path
) -> None:
    program = """
import pickle, traceback
with open(".lc/job.pkl", "rb") as file:
    job = pickle.load(file)
try:
    job["train"](None)
except RuntimeError:
    print(traceback.format_exc())
"""

    assert 'raise RuntimeError("as it must be")' in run_inside(image, root, program)


def test_included_files_lie_at_their_place_unchanged_and_uncompressed(
    cache: LayerCache, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    text = bytes(Environment.current().prefix) + b" stays\n"
    for name in ("a.csv", "b.tmp"):
        (tmp_path / "data" / name).write_bytes(text)
    wanted = replace(request_of(), include=(Path("data"),), exclude=("*.tmp",))
    here = replace(Environment.current(), folder=tmp_path)

    image = build_image(wanted, tmp_path / "blobs", here, cache)

    files = [(n, data) for title, n, data in file_members(image) if title == "included files"]
    assert files == [("lc/work/data/a.csv", text)]
    assert [len(layer.digest) for layer in image.layers if layer.digest == layer.diff_id] == [71]


@pytest.mark.parametrize(
    ("path", "why"),
    [("absent.csv", "no such file"), ("/etc/hosts", "system's"), (".lc", "job's own")],
)
def test_a_path_that_cannot_be_included_is_refused(
    path: str, why: str, cache: LayerCache, tmp_path: Path
) -> None:
    (tmp_path / ".lc").mkdir()
    (tmp_path / ".lc" / "x").touch()
    here = replace(Environment.current(), folder=tmp_path)

    with pytest.raises(IncludeRefused, match=why):
        plan_snapshot(replace(request_of(), include=(Path(path),)), here, cache)


SECRET_CELL = CELL.replace("STEP = 1", "API_TOKEN = 'abcd1234abcd1234'").replace(
    "STEP", "API_TOKEN"
)


def test_a_secret_is_refused_without_showing_it(cache: LayerCache) -> None:
    with pytest.raises(SecretFound, match="API_TOKEN: its name") as refusal:
        plan_snapshot(request_of(SECRET_CELL), cache=cache)

    assert "abcd1234abcd1234" not in str(refusal.value)


def test_a_secret_that_is_allowed_by_name_is_listed(cache: LayerCache) -> None:
    wanted = replace(request_of(SECRET_CELL), allowed_secrets=frozenset({"API_TOKEN"}))

    assert plan_snapshot(wanted, cache=cache).findings == (("API_TOKEN", "its name"),)


def test_a_file_that_changes_between_plan_and_build_is_named(
    cache: LayerCache, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("1")
    here = replace(Environment.current(), folder=tmp_path)
    plan = plan_snapshot(replace(request_of(), include=(Path("a.csv"),)), here, cache)
    (tmp_path / "a.csv").write_text("longer")

    with pytest.raises(EnvironmentChanged, match=r"a\.csv has 6 bytes"):
        build_planned(plan, tmp_path / "blobs", cache)
