"""Which distributions an image needs: roots, what they require, and what their sources ask for."""

from collections.abc import Iterable

from lc_jupyter.packaging.distributions import Catalogue, Installed
from lc_jupyter.packaging.hidden_requirements import hidden_requirements
from lc_jupyter.packaging.layer_cache import LayerCache
from lc_jupyter.packaging.local_modules import Resolver
from lc_jupyter.packaging.startup_files import modules_of_editable


def resolve_distributions(
    roots: Iterable[tuple[str, str]], catalogue: Catalogue, resolver: Resolver, cache: LayerCache
) -> tuple[Installed, ...]:
    """Return the closure of roots and of what a resolver has found; what their sources import is resolved on the way.

    Args:
        roots: pairs of a name and who needs it.
        catalogue: what is installed.
        resolver: knows what local code imports, and learns what the sources of editable installs do.
        cache: remembers what was read in sources.

    Raises:
        DistributionMissing: a root is not installed.
    """
    wanted = list(roots)
    followed: set[str] = set()
    while True:
        chosen = catalogue.closure([*wanted, *sorted(resolver.needed.distributions)])
        fresh = [found for found in chosen if found.name not in followed]
        if not fresh:
            return chosen
        for installed in fresh:
            followed.add(installed.name)
            resolver.add(modules_of_editable(installed), installed.name)
            hidden = hidden_requirements(installed, cache)
            resolver.add(filter(catalogue.owners, hidden), installed.name)
