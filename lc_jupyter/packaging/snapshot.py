"""Plans an image from a cell: what its functions need, and from where on this machine it comes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lc_jupyter.packaging.capture import CAPTURED_BYTES_MAX, Capture, CapturedName, capture
from lc_jupyter.packaging.distribution_layers import distribution_layers
from lc_jupyter.packaging.distributions import Catalogue, Installed
from lc_jupyter.packaging.environment import Environment
from lc_jupyter.packaging.errors import SecretFound
from lc_jupyter.packaging.files import LayerPlan, SourceFile
from lc_jupyter.packaging.hidden_requirements import hidden_requirements
from lc_jupyter.packaging.imports import imported_by_text
from lc_jupyter.packaging.include import include_layer, scan_files
from lc_jupyter.packaging.interpreter import (
    interpreter_layer,
    library_files,
    runner_layer,
    skeleton_layer,
)
from lc_jupyter.packaging.layer_cache import LayerCache, files_key
from lc_jupyter.packaging.libraries import Closure, Libraries, compiled
from lc_jupyter.packaging.local_modules import Resolver
from lc_jupyter.runner.layout import (
    ALWAYS_DISTRIBUTIONS,
    FORMAT_DISTRIBUTIONS,
    PAYLOAD,
    PAYLOAD_EVALUATE,
    PAYLOAD_FORMAT,
    PAYLOAD_LOAD,
    PAYLOAD_SAVE,
    PAYLOAD_TRAIN,
    WORK,
)
from lc_jupyter.stopwatch import Stopwatch
from lc_node.oci.layers import file_of

OURS: Final = "learningchain"

Function = Callable[..., object]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRequest:
    """What to package: a cell's functions and the options of the submission."""

    train: Function
    evaluate: Function
    model_format: str
    """A name of ``runner.layout.FORMAT_DISTRIBUTIONS``."""
    save: Function | None = None
    load: Function | None = None
    cell: str = ""
    """Source of the cell; its imports count even where no function uses them."""
    new_modules: frozenset[str] = frozenset()
    """Modules that were not in ``sys.modules`` before the cell ran."""
    with_distributions: tuple[str, ...] = ()
    everything: bool = False
    """All installed distributions, their tests included."""
    include: tuple[Path, ...] = ()
    exclude: tuple[str, ...] = ()
    allowed_secrets: frozenset[str] = frozenset()
    """Names, as findings name them, that may go although they look secret."""
    captured_bytes_max: int = CAPTURED_BYTES_MAX

    @property
    def functions(self) -> dict[str, Function]:
        """The functions by their keys in the payload."""
        given = {
            PAYLOAD_TRAIN: self.train,
            PAYLOAD_EVALUATE: self.evaluate,
            PAYLOAD_SAVE: self.save,
            PAYLOAD_LOAD: self.load,
        }
        return {key: function for key, function in given.items() if function is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPlan:
    """An image to be, and what a person should know of it before it is sent."""

    environment: Environment = field(repr=False)
    layers: tuple[LayerPlan, ...] = field(repr=False)
    distributions: tuple[tuple[str, str], ...]
    """Names and versions."""
    captured: tuple[CapturedName, ...]
    local_files: tuple[str, ...]
    """The user's own modules and sources of editable installs, by their place in the image."""
    included_files: tuple[tuple[str, int], ...]
    """Places in the image and sizes."""
    unresolved: tuple[str, ...]
    """Modules named in imports that are not installed: usually optional ones."""
    missing_libraries: Mapping[str, str]
    """Shared libraries that were found nowhere, and a file that wants each."""
    findings: tuple[tuple[str, str], ...]
    """What looked secret and was allowed."""
    seconds: Mapping[str, float]
    argv: tuple[str, ...] = ()
    """What the image starts; empty: the runner."""


def plan_snapshot(
    request: SnapshotRequest,
    environment: Environment | None = None,
    cache: LayerCache | None = None,
) -> SnapshotPlan:
    """Find out what an image of the running interpreter needs for a cell; writes nothing but notes.

    Raises:
        PackagingError: one subclass a cause; the message names the fix.
    """
    environment = environment or Environment.current()
    cache = cache or LayerCache.of_user()
    watch = Stopwatch()
    taken = capture(
        request.functions, {PAYLOAD_FORMAT: request.model_format}, request.captured_bytes_max
    )
    watch.lap("capture")
    catalogue = Catalogue(environment.site_folders)
    needed = _resolve(request, taken, catalogue, environment)
    chosen = _distributions(request, catalogue, needed, cache)
    local = tuple(needed.needed.local.values())
    included = include_layer(request.include, environment.folder, request.exclude)
    findings = _allowed(request, taken, (*local, *(included.files if included else ())))
    watch.lap("resolve")
    packages = distribution_layers(chosen, environment, cache, with_tests=request.everything)
    interpreter = interpreter_layer(environment)
    libraries = _libraries(
        interpreter, [*packages, LayerPlan(title="", files=local)], environment, cache
    )
    watch.lap("libraries")
    layers = (
        skeleton_layer(),
        interpreter,
        *_layer("shared libraries", _new(library_files(libraries, environment), interpreter)),
        *packages,
        *_layer("local modules", local),
        runner_layer(),
        *((included,) if included else ()),
        _code_layer(taken),
    )
    return SnapshotPlan(
        environment=environment,
        layers=layers,
        distributions=tuple((found.name, found.version) for found in chosen),
        captured=taken.names,
        local_files=tuple(sorted(file.path for file in local)),
        included_files=tuple((f.path, f.size) for f in (included.files if included else ())),
        unresolved=tuple(sorted(needed.needed.unresolved)),
        missing_libraries=libraries.missing,
        findings=findings,
        seconds=watch.seconds,
    )


def _resolve(
    request: SnapshotRequest, taken: Capture, catalogue: Catalogue, environment: Environment
) -> Resolver:
    resolver = Resolver(environment, catalogue, request.exclude)
    resolver.add(taken.modules, "the captured functions")
    resolver.add(imported_by_text(request.cell), "the cell")
    names = "\n".join(f"import {name}" for name in sorted(request.new_modules))
    resolver.add(imported_by_text(names), "the cell")
    return resolver


def _distributions(
    request: SnapshotRequest, catalogue: Catalogue, resolver: Resolver, cache: LayerCache
) -> tuple[Installed, ...]:
    """Return the closure of all roots; what sources of distributions ask for is resolved on the way."""
    roots = [
        *((name, "every job") for name in ALWAYS_DISTRIBUTIONS),
        *(
            (n, f"the format {request.model_format}")
            for n in FORMAT_DISTRIBUTIONS[request.model_format]
        ),
        *((name, f"--with {name}") for name in request.with_distributions),
    ]
    if request.everything:
        roots.extend((installed.name, "--all") for installed in catalogue)
    followed: set[str] = set()
    while True:
        chosen = catalogue.closure([*roots, *sorted(resolver.needed.distributions)])
        chosen = tuple(found for found in chosen if found.name != OURS)
        fresh = [found for found in chosen if found.name not in followed]
        if not fresh:
            return chosen
        for installed in fresh:
            followed.add(installed.name)
            if installed.source_folder:
                resolver.add(installed.source_modules, installed.name)
            hidden = hidden_requirements(installed, cache)
            resolver.add(filter(catalogue.owners, hidden), installed.name)


def _allowed(
    request: SnapshotRequest, taken: Capture, files: tuple[SourceFile, ...]
) -> tuple[tuple[str, str], ...]:
    findings = tuple(dict.fromkeys((*taken.findings, *scan_files(files))))
    refused = [
        (where, rule)
        for where, rule in findings
        if not {where, where.partition("[")[0]} & request.allowed_secrets
    ]
    if refused:
        raise SecretFound(refused)
    return findings


def _libraries(
    interpreter: LayerPlan,
    others: list[LayerPlan],
    environment: Environment,
    cache: LayerCache,
) -> Libraries:
    """Return what the other layers need beyond themselves and the interpreter's layer."""
    files = tuple(file for plan in others for file in plan.files)

    def follow() -> object:
        own = compiled(files)
        bundled = [*own, *compiled(interpreter.files)]
        found = Closure(environment.machine, bundled).follow([file.source for file in own])
        return {
            "found": {place: str(path) for place, path in found.found.items()},
            "missing": dict(found.missing),
        }

    known = cache.note(files_key("libraries", files, environment.key()), follow)
    if not isinstance(known, dict):
        known = {"found": {}, "missing": {}}
    found = {str(place): Path(path) for place, path in known["found"].items()}
    return Libraries(found=found, missing=known["missing"])


def _new(files: Iterator[SourceFile], interpreter: LayerPlan) -> tuple[SourceFile, ...]:
    there = {file.path for file in interpreter.files}
    return tuple(file for file in files if file.path not in there)


def _layer(title: str, files: tuple[SourceFile, ...]) -> tuple[LayerPlan, ...]:
    return (LayerPlan(title=title, files=files),) if files else ()


def _code_layer(taken: Capture) -> LayerPlan:
    root = WORK.lstrip("/")
    sources = (file_of(f"{root}/{path}", text.encode()) for path, text in taken.sources.items())
    return LayerPlan(
        title="code",
        entries=(file_of(f"{root}/{PAYLOAD}", taken.payload), *sources),
        bytecode=False,
    )
