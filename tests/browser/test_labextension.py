"""The built labextension is that of its sources, and JupyterLab is given it."""

import json
import runpy
import sys
from pathlib import Path

from tests.browser.bundle import ROOT

BUILT = ROOT / "lc_jupyter" / "labextension"
INSTALLED = Path(sys.prefix) / "share" / "jupyter" / "labextensions" / "learningchain"


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_was_built_is_of_the_sources_that_lie_here() -> None:
    digests = runpy.run_path(str(ROOT / "scripts" / "digest-labextension"))

    kept = json.loads((BUILT / "digests.json").read_text())
    assert digests["record"]() == kept, "make frontend builds it anew"


def test_jupyterlab_is_given_what_was_built() -> None:
    installed = _files(INSTALLED)

    assert installed.pop("install.json") == (ROOT / "labextension" / "install.json").read_bytes()
    assert installed == _files(BUILT), "make setup installs it anew"


def test_it_has_the_version_of_the_package() -> None:
    described = json.loads((ROOT / "labextension" / "package.json").read_text())

    assert f'version = "{described["version"]}"' in (ROOT / "pyproject.toml").read_text()
