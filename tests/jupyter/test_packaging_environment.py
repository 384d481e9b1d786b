"""What code imports is found among distributions, editable installs, namespaces and the user's own files."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from lc_jupyter.packaging.distributions import Catalogue
from lc_jupyter.packaging.environment import Environment
from lc_jupyter.packaging.errors import DistributionMissing
from lc_jupyter.packaging.hidden_requirements import hidden_requirements
from lc_jupyter.packaging.imports import imported_by_text
from lc_jupyter.packaging.layer_cache import LayerCache
from lc_jupyter.packaging.libraries import DRIVER
from lc_jupyter.packaging.local_modules import Needed, Resolver


def install(
    site: Path, name: str, files: Mapping[str, str], requires: Iterable[str] = (), source: str = ""
) -> None:
    """Lay a distribution into a folder as pip does."""
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + "".join(
        f"Requires-Dist: {text}\n" for text in requires
    )
    all_files = {**files, f"{info}/METADATA": metadata}
    if source:
        origin = {"url": f"file://{source}", "dir_info": {"editable": True}}
        all_files[f"{info}/direct_url.json"] = json.dumps(origin)
    for path, text in all_files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
    rows = "".join(f"{path},,\n" for path in (*all_files, f"{info}/RECORD", "../../../bin/tool"))
    (site / info / "RECORD").write_text(rows)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    return folder


def resolved(
    site: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, modules: Iterable[str]
) -> Needed:
    monkeypatch.syspath_prepend(site)
    monkeypatch.syspath_prepend(folder)
    environment = replace(Environment.current(), paths=(site,), folder=folder)
    resolver = Resolver(environment, Catalogue([site]))
    resolver.add(modules, "the cell")
    return resolver.needed


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("import a.b as c, d", {"a.b", "d"}),
        ("from a.b import c", {"a.b", "a.b.c"}),
        ("from a import *", {"a"}),
        ("def f():\n  if 1:\n    import a", {"a"}),
        ("import os, json.decoder", set()),
        ("from . import a", set()),
        ("%matplotlib inline\n!pip list\nimport a", {"a"}),
        ("import zoneinfo", {"tzdata"}),
        ("import lc_jupyter", set()),
        ("import (", set()),
    ],
)
def test_imports_of_a_source_are_named(text: str, modules: set[str]) -> None:
    assert imported_by_text(text) == modules


def test_what_a_distribution_requires_comes_along_if_it_is_installed(site: Path) -> None:
    install(site, "top", {"top.py": ""}, ["Middle_Part>=1", "absent", "other; extra == 'more'"])
    install(site, "middle.part", {"middle.py": ""}, ["leaf [x] ; python_version>'3'"])
    install(site, "leaf", {"leaf.py": ""}, ["deep; extra == 'x'", "top"])
    install(site, "deep", {"deep.py": ""})
    install(site, "other", {"other.py": ""})

    closure = Catalogue([site]).closure([("top", "the cell")])

    assert [found.name for found in closure] == ["deep", "leaf", "middle-part", "top"]


def test_an_extra_that_is_asked_for_comes_along(site: Path) -> None:
    install(site, "top", {"top.py": ""}, ["other; extra == 'more'"])
    install(site, "other", {"other.py": ""})

    closure = Catalogue([site]).closure([("top[more]", "--with")])

    assert [found.name for found in closure] == ["other", "top"]


def test_a_distribution_that_is_asked_for_and_missing_is_refused_by_name(site: Path) -> None:
    with pytest.raises(DistributionMissing, match="pip install absent"):
        Catalogue([site]).closure([("absent", "--with absent")])


def test_of_a_namespace_only_the_distributions_of_imported_parts_are_taken(site: Path) -> None:
    install(site, "acme-one", {"acme/one/__init__.py": ""})
    install(site, "acme-two", {"acme/two.py": ""})
    catalogue = Catalogue([site])

    assert [o.name for o in catalogue.owners("acme.two.name")] == ["acme-two"]
    assert [o.name for o in catalogue.owners("acme")] == ["acme-one", "acme-two"]


def test_a_part_of_a_namespace_may_lie_beside_the_notebook(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "acme-one", {"acme/one/__init__.py": ""})
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "mine.py").write_text("import acme.one")

    needed = resolved(site, tmp_path, monkeypatch, ["acme.mine"])

    assert list(needed.local) == ["opt/local/acme/mine.py"]
    assert {name for name, _ in needed.distributions} == {"acme-one"}


def test_a_local_module_is_copied_with_the_local_modules_that_it_imports(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "first_of_mine.py").write_text("def f():\n    import second_of_mine.deep\n")
    (tmp_path / "second_of_mine").mkdir()
    for name in ("__init__.py", "deep.py", "table.csv", ".env", "server.pem"):
        (tmp_path / "second_of_mine" / name).write_text("")

    needed = resolved(site, tmp_path, monkeypatch, ["first_of_mine"])

    assert sorted(needed.local) == [
        "opt/local/first_of_mine.py",
        "opt/local/second_of_mine/__init__.py",
        "opt/local/second_of_mine/deep.py",
        "opt/local/second_of_mine/table.csv",
    ]


def test_sources_of_an_editable_install_are_copied_and_its_requirements_followed(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project" / "revised").mkdir(parents=True)
    (tmp_path / "project" / "revised" / "__init__.py").write_text("")
    install(site, "revised-project", {"revised.pth": "x"}, source=str(tmp_path / "project"))

    needed = resolved(site, tmp_path / "project", monkeypatch, ["revised"])

    assert list(needed.local) == ["opt/local/revised/__init__.py"]
    assert {name for name, _ in needed.distributions} == {"revised-project"}


def test_a_module_that_is_nowhere_is_reported_and_refused_nothing(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = resolved(site, tmp_path, monkeypatch, ["not_there_at_all"])

    assert needed.unresolved == {"not_there_at_all"}


def test_a_replacement_is_as_long_as_the_path_it_stands_for() -> None:
    environment = replace(Environment.current(), prefix=Path("/srv/x"), home=Path("/home/someone"))

    for compiled in (False, True):
        pairs = environment.redactions(compiled=compiled)
        assert b"/home/someone" in dict(pairs)
        assert all(len(old) == len(new) for old, new in pairs)


def test_the_last_part_of_the_interpreters_path_stays_in_compiled_files() -> None:
    environment = replace(
        Environment.current(), base_prefix=Path("/home/me/.pyenv/versions/3.11.7")
    )

    pairs = dict(environment.redactions(compiled=True))

    assert pairs[b"/home/me/.pyenv/versions/3.11.7"] == b"/opt/python//////////////3.11.7"


@pytest.mark.parametrize("name", ["libcuda.so.1", "libnvidia-ml.so.1"])
def test_a_driver_is_never_bundled(name: str) -> None:
    assert DRIVER.match(name)


@pytest.mark.parametrize("name", ["libcudart.so.12", "libnvrtc.so.12", "libcudnn.so.9"])
def test_a_toolkits_library_is_no_driver(name: str) -> None:
    assert not DRIVER.match(name)


def without_record(site: Path, name: str, files: Mapping[str, str], requires: str = "") -> None:
    """Lay a package into a folder as Debian does: no RECORD, and only optional requirements."""
    info = f"{name}-1.0.egg-info"
    texts = {
        f"{info}/PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/top_level.txt": f"{name}\n",
        f"{info}/requires.txt": requires,
        **files,
    }
    for path, text in texts.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)


def hidden_of(site: Path, name: str, cache: Path) -> frozenset[str]:
    installed = Catalogue([site]).get(name)
    assert installed
    return hidden_requirements(installed, LayerCache(cache))


def test_a_package_that_names_no_requirements_is_asked_what_it_imports(
    site: Path, tmp_path: Path
) -> None:
    module = "import needed.part\ntry:\n    import faster\nexcept ImportError: pass\n"
    later = "def plot():\n    import drawing\nclass A:\n    from inner import x\n"
    files = {
        "silent/__init__.py": module + later,
        "silent/tests/test_it.py": "import pytest\n",
        "silent/broken.py": "print 'Python 2'\n",
    }
    without_record(site, "silent", files, requires="\n[docs]\nsphinx\n")

    found = hidden_of(site, "silent", tmp_path)

    assert found == {"needed.part", "faster", "inner", "inner.x"}


def test_a_package_that_lists_its_files_is_believed(site: Path, tmp_path: Path) -> None:
    install(site, "modern", {"modern.py": "import undeclared\n"})

    assert hidden_of(site, "modern", tmp_path) == frozenset()
