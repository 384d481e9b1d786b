"""Plans an image from a cell: what its functions need, and from where on this machine it comes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lc_jupyter.packaging.capture import CapturedName
from lc_jupyter.packaging.distribution_layers import distribution_layers
from lc_jupyter.packaging.environment import Environment
from lc_jupyter.packaging.files import LayerPlan, SourceFile
from lc_jupyter.packaging.gathering import SnapshotRequest, code_layer, gather
from lc_jupyter.packaging.interpreter import (
    interpreter_layer,
    library_files,
    runner_layer,
    skeleton_layer,
)
from lc_jupyter.packaging.layer_cache import LayerCache, files_key
from lc_jupyter.packaging.libraries import Closure, Libraries, compiled
from lc_jupyter.stopwatch import Stopwatch


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
    startup_code: tuple[str, ...] = ()
    """Files of this environment that run code when Python starts, of no distribution: they do not go along."""
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
    taken = gather(request, environment, cache, watch)
    packages = distribution_layers(
        taken.distributions, environment, cache, with_tests=request.everything
    )
    interpreter = interpreter_layer(environment, cache)
    libraries = _libraries(
        interpreter, [*packages, LayerPlan(title="", files=taken.local)], environment, cache
    )
    watch.lap("libraries")
    layers = (
        skeleton_layer(),
        interpreter,
        *_layer("shared libraries", _new(library_files(libraries, environment), interpreter)),
        *packages,
        *_layer("local modules", taken.local),
        runner_layer(),
        *((taken.included,) if taken.included else ()),
        code_layer(taken.capture),
    )
    return SnapshotPlan(
        environment=environment,
        layers=layers,
        distributions=tuple((found.name, found.version) for found in taken.distributions),
        captured=taken.capture.names,
        local_files=tuple(sorted(file.path for file in taken.local)),
        included_files=tuple((f.path, f.size) for f in taken.included_files),
        unresolved=taken.unresolved,
        missing_libraries=libraries.missing,
        startup_code=taken.startup_code,
        findings=taken.findings,
        seconds=watch.seconds,
    )


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
        closure = Closure(environment.machine, bundled)
        return closure.follow([file.source for file in own]).note()

    return Libraries.of_note(cache.note(files_key("libraries", files, environment.key()), follow))


def _new(files: Iterator[SourceFile], interpreter: LayerPlan) -> tuple[SourceFile, ...]:
    there = {file.path for file in interpreter.files}
    return tuple(file for file in files if file.path not in there)


def _layer(title: str, files: tuple[SourceFile, ...]) -> tuple[LayerPlan, ...]:
    return (LayerPlan(title=title, files=files),) if files else ()
