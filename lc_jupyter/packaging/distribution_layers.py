"""One layer a large distribution, one for all small ones: a change of one moves no other."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from lc_jupyter.packaging.distributions import Installed, record_of
from lc_jupyter.packaging.environment import Environment
from lc_jupyter.packaging.files import LayerPlan, SourceFile, source_file
from lc_jupyter.packaging.layer_cache import LayerCache, files_key
from lc_jupyter.packaging.places import VENV_ROOT, site_of
from lc_node.oci.layers import Entry, file_of

OWN_LAYER_BYTES: Final = 1024 * 1024
OWN_LAYERS_MAX: Final = 40
"""An image may have 64 layers; the smaller ones of an enormous environment share one."""

_TESTS: Final = "tests"
_TESTS_IMPORT: Final = re.compile(
    rb"^\s*(?:from|import)\s+(\.*)([\w.]*?)\.?\btests\b", re.MULTILINE
)


def distribution_layers(
    chosen: Sequence[Installed],
    environment: Environment,
    cache: LayerCache,
    *,
    with_tests: bool,
) -> list[LayerPlan]:
    """Return layers for distributions.

    Args:
        chosen: the distributions, each once.
        environment: where they are installed.
        cache: remembers what was found out about a distribution's files.
        with_tests: also the tests that some bring along, about a third of the bytes.
    """
    plans = [
        _layer_of(installed, environment, cache, with_tests=with_tests) for installed in chosen
    ]
    plans.sort(key=lambda plan: (-plan.bytes_planned, plan.title))
    large = [plan for plan in plans if plan.bytes_planned >= OWN_LAYER_BYTES][:OWN_LAYERS_MAX]
    small = sorted(plans[len(large) :], key=lambda plan: plan.title)
    shared = [_merged(small)] if small else []
    return [*sorted(large, key=lambda plan: plan.title), *shared]


def _layer_of(
    installed: Installed, environment: Environment, cache: LayerCache, *, with_tests: bool
) -> LayerPlan:
    site = site_of(environment.version)
    files = tuple(_files_of(installed, site, environment.prefix))
    if not with_tests:
        key = files_key("tests", files)
        kept = cache.note(key, lambda: sorted(_tests_in_use(files, site)))
        files = tuple(file for file in files if not _is_test(file.path, site, kept))
    inside = [file.path.removeprefix(f"{site}/") for file in files if file.path.startswith(site)]
    return LayerPlan(
        title=f"{installed.name} {installed.version}",
        files=files,
        entries=tuple(_record(inside, site)),
    )


def _files_of(installed: Installed, site: str, prefix: Path) -> Iterator[SourceFile]:
    metadata_only = installed.source_folder is not None
    for path in installed.files:
        if not metadata_only or path.partition("/")[0].endswith(".dist-info"):
            file = source_file(f"{site}/{path}", installed.site / path)
            if file:
                yield file
    for path in installed.shared_data:
        file = source_file(f"{VENV_ROOT}/{path}", prefix / path)
        if file:
            yield file


def _record(paths: Iterable[str], site: str) -> Iterator[Entry]:
    listed = list(paths)
    folder = next((p.partition("/")[0] for p in listed if ".dist-info/" in p), "")
    if folder:
        name = f"{folder}/RECORD"
        yield file_of(f"{site}/{name}", record_of([*listed, name]))


def _tests_in_use(files: Iterable[SourceFile], site: str) -> Iterator[str]:
    """Yield the folders of tests that code beside the tests imports from: such code would break."""
    for file in files:
        if file.path.endswith(".py") and not _is_test(file.path, site, ()):
            folder = file.path.removeprefix(f"{site}/").rpartition("/")[0].split("/")
            for dots, module in _TESTS_IMPORT.findall(file.source.read_bytes()):
                above = folder[: len(folder) - len(dots) + 1] if dots else []
                parts = [*above, *filter(None, module.decode().split(".")), _TESTS]
                yield "/".join(parts)


def _is_test(path: str, site: str, kept: object) -> bool:
    inner = path.removeprefix(f"{site}/")
    if inner.endswith("/conftest.py"):
        return True
    head, found, _ = inner.partition(f"/{_TESTS}/")
    return bool(found) and not (isinstance(kept, Sequence) and f"{head}/{_TESTS}" in kept)


def _merged(plans: Sequence[LayerPlan]) -> LayerPlan:
    files = {file.path: file for plan in plans for file in plan.files}
    return LayerPlan(
        title="small distributions: " + ", ".join(plan.title for plan in plans),
        files=tuple(files.values()),
        entries=tuple(entry for plan in plans for entry in plan.entries),
    )
