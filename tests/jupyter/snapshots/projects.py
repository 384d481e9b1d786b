"""A person's home with projects of every kind: editable, local, compiled, without metadata, half of a namespace."""

import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.jupyter.snapshots.pythons import Python, base_python, install, make_venv

EXTENSION = """
#include <Python.h>
int helped(int);
static PyObject *twice(PyObject *self, PyObject *x) { return PyLong_FromLong(helped(PyLong_AsLong(x))); }
static PyMethodDef methods[] = {{"twice", twice, METH_O, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", 0, -1, methods};
PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }
"""
CELL = """
    import beside
    import fast
    import finder_package
    import from_a_path
    import hatched
    import kernels
    import unlisted
    from shared.one import ONE
    from shared.two import TWO

    def train(trial):
        trial.report(0.5, b"model")
        return b"model"

    def evaluate(model):
        from importlib.metadata import version
        with open("data/table.csv") as file:
            rows = file.read().split()
        return [
            beside.answer(), fast.twice(21), finder_package.read(), from_a_path.VALUE, hatched.VALUE,
            kernels.VALUE, unlisted.VALUE, ONE, TWO, len(rows), float(version("hatch-project")),
        ]
"""
DISK = "disk-of-carol"
"""Where a library of the user's lies, outside of the home."""

EXPECTED = [42, 42, 7, 3, 4, 5, 6, 1, 2, 3, 1.5]


@dataclass(frozen=True)
class Desk:
    """A home, the notebook's folder in it, and the interpreter of its environment."""

    home: Path
    notebook: Path
    python: Python
    site: Path


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write texts below a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def make_desk(home: Path, wheel: Path) -> Desk:
    """Make everything that ``CELL`` asks for."""
    python = make_venv(home / "env", base_python(), wheel, "setuptools", "hatchling", "editables")
    (site,) = (home / "env" / "lib").glob("python*/site-packages")
    for project in (_with_finder(home), _with_path(home), _half_of_namespace(home)):
        options = ["--no-deps", "--no-build-isolation", "-e"]
        install(python.program, str(project), options=options)
    _plain_packages(home, site)
    notebook = write(
        home / "notebook",
        {
            "beside.py": "def answer():\n    import deeper.inner\n    return deeper.inner.ANSWER\n",
            "deeper/__init__.py": "",
            "deeper/inner.py": "ANSWER = 42\n",
            "shared/two.py": "TWO = 2\n",
            "data/table.csv": "1\n2\n3\n",
        },
    )
    helpers = _compile(home, notebook)
    variables = {"HOME": str(home), "LD_LIBRARY_PATH": str(helpers)}
    return Desk(home, notebook, Python(python.program, variables), site)


def make_plain_desk(home: Path, wheel: Path) -> Desk:
    """Make a home with an environment from wheels, and a notebook with a module and a file beside it."""
    python = make_venv(home / "env", base_python(), wheel)
    (site,) = (home / "env" / "lib").glob("python*/site-packages")
    texts = {"beside.py": "VALUE = b'model'\n", "data/table.csv": "1\n2\n"}
    notebook = write(home / "notebook", texts)
    return Desk(home, notebook, Python(python.program, {"HOME": str(home)}), site)


def _with_finder(home: Path) -> Path:
    """A flat project of setuptools: its editable install is a finder, a module with absolute paths."""
    project = (
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    )
    metadata = '[project]\nname = "finder-project"\nversion = "1.0"\n'
    packages = '[tool.setuptools]\npackages = ["finder_package"]\n'
    return write(
        home / "finder",
        {
            "pyproject.toml": project + metadata + packages,
            "finder_package/__init__.py": "from importlib import resources\n"
            "def read():\n    return int(resources.files('finder_package').joinpath('n').read_text())\n",
            "finder_package/n": "7",
        },
    )


def _with_path(home: Path) -> Path:
    """A project of hatch with a ``src`` folder: a ``.pth`` file; its module is not called as it is."""
    project = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    metadata = '[project]\nname = "hatch-project"\nversion = "1.5"\n'
    packages = '[tool.hatch.build.targets.wheel]\npackages = ["src/hatched"]\n'
    return write(
        home / "hatch",
        {
            "pyproject.toml": project + metadata + packages,
            "src/hatched/__init__.py": "from hatched.part import VALUE\n",
            "src/hatched/part.py": "VALUE = 4\n",
        },
    )


def _half_of_namespace(home: Path) -> Path:
    """A project that brings a part of a package that has no ``__init__``."""
    project = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    metadata = '[project]\nname = "shared-one"\nversion = "1.0"\n'
    packages = '[tool.hatch.build.targets.wheel]\npackages = ["src/shared"]\n'
    return write(
        home / "half",
        {"pyproject.toml": project + metadata + packages, "src/shared/one.py": "ONE = 1\n"},
    )


def _plain_packages(home: Path, site: Path) -> None:
    """What lies in ``site-packages`` by other ways than pip's."""
    write(home / "elsewhere", {"from_a_path.py": "VALUE = 3\n"})
    write(
        site,
        {
            "a_path.pth": f"# mine\n{home / 'elsewhere'}\n",
            "hook.pth": "import sys; sys.started_by_a_hook = True\n",
            "unlisted/__init__.py": "VALUE = 6\n",
            "unlisted-1.0.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: unlisted\nVersion: 1.0\n",
            "unlisted-1.0.egg-info/top_level.txt": "unlisted\n",
            "kernels/__init__.py": "VALUE = 5\n",
            "kernels-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: kernels\nVersion: 1.0\n",
            "kernels-1.0.dist-info/RECORD": "kernels/__init__.py,,\nkernels/libkernels.so,,\n"
            "kernels-1.0.dist-info/METADATA,,\nkernels-1.0.dist-info/RECORD,,\n",
        },
    )


def _compile(home: Path, notebook: Path) -> Path:
    """Build an extension module, the library that it finds by an absolute path, and a GPU's driver and its user."""
    libraries, driver = home.parent / DISK / "lib", home / "driver"
    for folder in (libraries, driver):
        folder.mkdir(parents=True)
    (site,) = (home / "env" / "lib").glob("python*/site-packages")
    helper, cuda = libraries / "libhelper.so.1", driver / "libcuda.so.1"
    _cc("int helped(int x) { return 2 * x; }", helper, "-Wl,-soname,libhelper.so.1")
    _cc("int cuInit(int x) { return x; }", cuda, "-Wl,-soname,libcuda.so.1")
    kernels = site / "kernels" / "libkernels.so"
    _cc("int cuInit(int); int go(void) { return cuInit(0); }", kernels, str(cuda))
    headers = f"-I{sysconfig.get_path('include')}"
    _cc(EXTENSION, notebook / "fast.so", headers, "-g", str(helper), f"-Wl,-rpath,{libraries}")
    return driver


def _cc(source: str, target: Path, *options: str) -> None:
    words = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-x", "none", *options, "-o", str(target)]
    subprocess.run(words, input=source.encode(), cwd=target.parent, check=True)
