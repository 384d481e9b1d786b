"""Plans an image of a program as it lies here, for contract stdout/1: nothing of ours runs in it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from lc_jupyter.packaging.distribution_layers import distribution_layers
from lc_jupyter.packaging.distributions import Catalogue, Installed
from lc_jupyter.packaging.environment import Environment
from lc_jupyter.packaging.errors import IncludeRefused, NoProgram, SecretFound
from lc_jupyter.packaging.files import LayerPlan, SourceFile, source_file
from lc_jupyter.packaging.gathering import OURS
from lc_jupyter.packaging.imports import imported_by_text
from lc_jupyter.packaging.include import scan_files
from lc_jupyter.packaging.interpreter import interpreter_layer, library_files, skeleton_layer
from lc_jupyter.packaging.layer_cache import LayerCache
from lc_jupyter.packaging.libraries import Closure, Libraries, compiled
from lc_jupyter.packaging.local_modules import Needed, Resolver
from lc_jupyter.packaging.places import VENV_ROOT
from lc_jupyter.packaging.requirements import resolve_distributions
from lc_jupyter.packaging.snapshot import SnapshotPlan
from lc_jupyter.runner.layout import WORK
from lc_jupyter.stopwatch import Stopwatch


def plan_program(
    program: Path,
    data: Sequence[Path] = (),
    *,
    with_distributions: Sequence[str] = (),
    environment: Environment | None = None,
    cache: LayerCache | None = None,
) -> SnapshotPlan:
    """Find out what an image of the running interpreter needs for a program in Python.

    Args:
        program: its file; the image starts it with this interpreter, in a folder that has the data beside it.
        data: files to lie beside it under their own names.
        with_distributions: what it needs beyond what its imports tell.
        environment: this interpreter's, if not given.
        cache: the user's, if not given.

    Raises:
        PackagingError: one subclass a cause; the message names the fix.
    """
    if not program.is_file():
        raise NoProgram(str(program), str(Path.cwd()))
    environment = environment or Environment.current()
    cache = cache or LayerCache.of_user()
    watch = Stopwatch()
    own = tuple(_own_files((program, *data)))
    if findings := tuple(scan_files(own)):
        raise SecretFound(findings)
    needed, chosen = _resolve(program, with_distributions, environment, cache)
    local = tuple(needed.local.values())
    watch.lap("resolve")
    packages = distribution_layers(chosen, environment, cache, with_tests=False)
    layers, libraries = _with_libraries(
        [*packages, LayerPlan(title="local modules", files=local)], environment, cache
    )
    watch.lap("libraries")
    layers.append(LayerPlan(title="program", files=own, compress=False, bytecode=False))
    return SnapshotPlan(
        environment=environment,
        layers=tuple(layer for layer in layers if layer.files or layer.entries),
        distributions=tuple((found.name, found.version) for found in chosen),
        captured=(),
        local_files=tuple(sorted(file.path for file in local)),
        included_files=tuple((file.path, file.size) for file in own),
        unresolved=tuple(sorted(needed.unresolved)),
        missing_libraries=libraries.missing,
        findings=(),
        seconds=watch.seconds,
        argv=(_PYTHON, f"{WORK}/{program.name}"),
    )


def _resolve(
    program: Path, with_distributions: Sequence[str], environment: Environment, cache: LayerCache
) -> tuple[Needed, tuple[Installed, ...]]:
    """Return what the program's imports come to, and the distributions with all that they require."""
    catalogue = Catalogue(environment.site_folders)
    resolver = Resolver(environment, catalogue)
    resolver.add(imported_by_text(program.read_text(encoding="utf-8")), program.name)
    wanted = [(name, f"--with {name}") for name in with_distributions]
    closure = resolve_distributions(wanted, catalogue, resolver, cache)
    return resolver.needed, tuple(found for found in closure if found.name != OURS)


def _own_files(paths: Sequence[Path]) -> Iterator[SourceFile]:
    for path in paths:
        file = source_file(f"{WORK.lstrip('/')}/{path.name}", path, verbatim=True)
        if file is None:
            raise IncludeRefused(str(path), "there is no such file")
        yield file


def _with_libraries(
    others: Sequence[LayerPlan], environment: Environment, cache: LayerCache
) -> tuple[list[LayerPlan], Libraries]:
    """Return these layers with the interpreter and the shared libraries that all of them need below them."""
    interpreter = interpreter_layer(environment, cache)
    own = compiled(file for plan in others for file in plan.files)
    closure = Closure(environment.machine, [*own, *compiled(interpreter.files)])
    libraries = closure.follow([file.source for file in own])
    there = {file.path for file in interpreter.files}
    fresh = tuple(f for f in library_files(libraries, environment) if f.path not in there)
    shared = LayerPlan(title="shared libraries", files=fresh)
    return [skeleton_layer(), interpreter, shared, *others], libraries


_PYTHON: Final = f"/{VENV_ROOT}/bin/python"
