"""Where the search for good parameters comes from."""

from lc_node.ports.search import Search


def new_search(seed: int) -> Search:
    """Return an empty search whose draws follow from ``seed``.

    Optuna is imported by who trains alone: it takes 0.7 s of a processor and 20 MB.
    """
    from lc_node.adapters.optuna_search import OptunaSearch  # noqa: PLC0415 (see above)

    return OptunaSearch(seed=seed)
