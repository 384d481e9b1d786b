"""What is put onto the path of modules in other ways than by installing, and what libraries open by name."""

import platform
from pathlib import Path

import pytest

from lc_jupyter.packaging.distributions import Catalogue
from lc_jupyter.packaging.libraries import Closure
from lc_jupyter.packaging.startup_files import foreign_startup_code, modules_of_editable
from tests.jupyter.test_packaging_environment import install


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    return folder


def modules_of(site: Path, name: str) -> frozenset[str]:
    installed = Catalogue([site]).get(name)
    assert installed
    return modules_of_editable(installed)


def test_modules_below_the_folder_of_a_pth_file_are_an_editable_installs(
    site: Path, tmp_path: Path
) -> None:
    source = tmp_path / "src"
    for name in ("package/__init__.py", "module.py", "setup.py", "tests/__init__.py", "data/x"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    text = f"# a comment\nimport hook; hook.start()\n{source}\n/not/there\n"
    install(site, "some-project", {"_some.pth": text}, source=str(tmp_path))

    assert modules_of(site, "some-project") == {"some_project", "package", "module"}


def test_modules_of_a_finder_are_an_editable_installs(site: Path, tmp_path: Path) -> None:
    finder = "MAPPING: dict[str, str] = {'one': '/x/one', 'two.part': '/x/two/part'}\nX = {}\n"
    files = {"__editable___flat_finder.py": finder, "__editable__.flat.pth": "import x\n"}
    install(site, "flat", files, source=str(tmp_path))

    assert modules_of(site, "flat") == {"flat", "one", "two"}


def test_what_is_not_editable_has_no_sources_elsewhere(site: Path) -> None:
    install(site, "plain", {"plain.pth": "/usr\n"})

    assert modules_of(site, "plain") == frozenset()


def test_only_code_that_no_distribution_lists_is_foreign(site: Path) -> None:
    install(site, "listed", {"listed.pth": "import listed\n"})
    for name, text in (("stray.pth", "import x\n"), ("paths.pth", "/usr\n# import y\n")):
        (site / name).write_text(text)
    (site / "latin.pth").write_bytes(b"import \xe9\n")

    assert list(foreign_startup_code(site, Catalogue([site]))) == [site / "stray.pth"]


def test_what_a_front_of_libraries_opens_by_name_comes_along(tmp_path: Path) -> None:
    for name in ("libmkl_rt.so.2", "libmkl_core.so.2", "libiomp5.so", "libother.so"):
        (tmp_path / name).write_bytes(b"no ELF")

    found = Closure(platform.machine(), []).follow([], ["libmkl_rt.so.2"], [str(tmp_path)]).found

    assert {Path(place).name for place in found} == {
        "libmkl_rt.so.2",
        "libmkl_core.so.2",
        "libiomp5.so",
    }


def test_libraries_beside_lib_are_a_distributions_data(site: Path) -> None:
    install(site, "mkl", {"mkl.py": ""})
    with (site / "mkl-1.0.dist-info" / "RECORD").open("a") as record:
        record.write("../../../lib/libmkl_core.so.2,,\n../../../lib/other.txt,,\n")
    installed = Catalogue([site]).get("mkl")
    assert installed

    assert installed.shared_data == ("lib/libmkl_core.so.2",)
