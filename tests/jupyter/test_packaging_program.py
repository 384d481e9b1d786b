"""A program becomes an image as it lies here: nothing of ours in it, the same bytes each time."""

from pathlib import Path

import pytest

from lc_jupyter.packaging.errors import IncludeRefused, SecretFound
from lc_jupyter.packaging.image import BuiltImage, build_planned
from lc_jupyter.packaging.layer_cache import LayerCache
from lc_jupyter.packaging.program import plan_program
from lc_node.oci.manifest import decode_config
from tests.jupyter.images import file_members, run_inside, unpack

PROGRAM = "import msgspec\nfrom pathlib import Path\nprint(Path('data.csv').read_text())\n"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> LayerCache:
    return LayerCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "data.csv").write_text("1,2\n")
    path = tmp_path / "fit.py"
    path.write_text(PROGRAM)
    return path


def build(program: Path, cache: LayerCache) -> BuiltImage:
    data = program.with_name("data.csv")
    plan = plan_program(program, [data], with_distributions=["cloudpickle"], cache=cache)
    return build_planned(plan, program.parent / "blobs", cache)


def test_an_image_starts_its_program_where_its_data_lies(
    program: Path, cache: LayerCache, tmp_path: Path
) -> None:
    image = build(program, cache)
    config = decode_config(image.config)

    assert config.argv == ("/opt/venv/bin/python", "/lc/work/fit.py")
    assert config.working_folder == "/lc/work"
    root = unpack(image, tmp_path / "root")
    assert run_inside(image, root, Path(program).read_text()) == "1,2\n\n"


def test_an_image_of_a_program_holds_what_it_imports_and_nothing_of_ours(
    program: Path, cache: LayerCache
) -> None:
    image = build(program, cache)
    paths = {path for _, path, _ in file_members(image)}

    assert {name for name, _ in image.plan.distributions} == {"msgspec", "cloudpickle"}
    assert not [path for path in paths if "lc_jupyter" in path or "lc/runner" in path]


def test_the_same_program_gives_the_same_image(program: Path, cache: LayerCache) -> None:
    assert build(program, cache).digest == build(program, cache).digest


def test_a_secret_in_a_program_is_refused(program: Path, cache: LayerCache) -> None:
    program.write_text("password = 'correct horse battery'\n")

    with pytest.raises(SecretFound):
        plan_program(program, cache=cache)


def test_data_that_is_not_there_is_named(program: Path, cache: LayerCache) -> None:
    with pytest.raises(IncludeRefused, match=r"none\.csv"):
        plan_program(program, [program.with_name("none.csv")], cache=cache)
