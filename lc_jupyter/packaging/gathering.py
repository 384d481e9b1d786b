"""What a cell takes along, whatever its image is made of: functions, distributions, own files, nothing secret."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lc_jupyter.packaging.capture import CAPTURED_BYTES_MAX, Capture, capture
from lc_jupyter.packaging.distributions import Catalogue, Installed
from lc_jupyter.packaging.environment import Environment
from lc_jupyter.packaging.errors import SecretFound
from lc_jupyter.packaging.files import LayerPlan, SourceFile
from lc_jupyter.packaging.ignoring import Ignored, read_ignored
from lc_jupyter.packaging.imports import imported_by_text
from lc_jupyter.packaging.include import include_layer, scan_files
from lc_jupyter.packaging.layer_cache import LayerCache
from lc_jupyter.packaging.local_modules import Resolver
from lc_jupyter.packaging.requirements import resolve_distributions
from lc_jupyter.packaging.startup_files import foreign_startup_code
from lc_jupyter.runner.layout import (
    ALWAYS_DISTRIBUTIONS,
    FORMAT_DISTRIBUTIONS,
    PAYLOAD,
    PAYLOAD_EVALUATE,
    PAYLOAD_FORMAT,
    PAYLOAD_LOAD,
    PAYLOAD_PREDICT,
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
    predict: Function | None = None
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
            PAYLOAD_PREDICT: self.predict,
        }
        return {key: function for key, function in given.items() if function is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What has been found out of a cell and of what it needs."""

    capture: Capture = field(repr=False)
    distributions: tuple[Installed, ...]
    local: tuple[SourceFile, ...]
    """The user's own modules and sources of editable installs."""
    included: LayerPlan | None
    unresolved: tuple[str, ...]
    findings: tuple[tuple[str, str], ...]
    startup_code: tuple[str, ...]

    @property
    def included_files(self) -> tuple[SourceFile, ...]:
        """The files added by name."""
        return self.included.files if self.included else ()


def gather(
    request: SnapshotRequest, environment: Environment, cache: LayerCache, watch: Stopwatch
) -> Gathered:
    """Find out what goes along.

    Raises:
        PackagingError: one subclass a cause; the message names the fix.
    """
    taken = capture(
        request.functions, {PAYLOAD_FORMAT: request.model_format}, request.captured_bytes_max
    )
    watch.lap("capture")
    catalogue = Catalogue(environment.site_folders)
    ignored = read_ignored(environment.folder)
    resolver = _resolve(request, taken, catalogue, environment, ignored)
    chosen = _distributions(request, catalogue, resolver, cache)
    local = tuple(resolver.needed.local.values())
    included = include_layer(request.include, environment.folder, request.exclude, ignored)
    findings = _allowed(request, taken, (*local, *(included.files if included else ())))
    watch.lap("resolve")
    return Gathered(
        capture=taken,
        distributions=chosen,
        local=local,
        included=included,
        unresolved=tuple(sorted(resolver.needed.unresolved)),
        findings=findings,
        startup_code=_startup_code(environment, catalogue),
    )


def code_layer(taken: Capture) -> LayerPlan:
    """Return the layer with the functions and the lines of their source."""
    root = WORK.lstrip("/")
    sources = (file_of(f"{root}/{path}", text.encode()) for path, text in taken.sources.items())
    return LayerPlan(
        title="code",
        entries=(file_of(f"{root}/{PAYLOAD}", taken.payload), *sources),
        bytecode=False,
    )


def _resolve(
    request: SnapshotRequest,
    taken: Capture,
    catalogue: Catalogue,
    environment: Environment,
    ignored: Ignored,
) -> Resolver:
    resolver = Resolver(environment, catalogue, request.exclude, ignored)
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
    return tuple(
        found
        for found in resolve_distributions(roots, catalogue, resolver, cache)
        if found.name != OURS
    )


def _startup_code(environment: Environment, catalogue: Catalogue) -> tuple[str, ...]:
    files = (
        file
        for site in environment.site_folders
        if site.is_relative_to(environment.prefix)  # what the system has is not the user's doing
        for file in foreign_startup_code(site, catalogue)
    )
    return tuple(file.name for file in files)


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
