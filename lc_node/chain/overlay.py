"""A dictionary over another one: what branches of the chain share is kept once."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Overlay(Generic[K, V]):
    """Changes over a parent; the oldest of a lineage holds what is final.

    An overlay with children is no longer changed, except to take one over, and by ``flatten``.
    """

    __slots__ = ("own", "parent")

    def __init__(self, parent: "Overlay[K, V] | None" = None) -> None:
        """Start with what the parent holds; without one, empty."""
        self.own: dict[K, V] = {}
        self.parent = parent

    def child(self) -> "Overlay[K, V]":
        """Return an overlay that starts as this one is."""
        return Overlay(self)

    def get(self, key: K) -> V | None:
        """Return the latest value under a key, None if there is none."""
        layer: Overlay[K, V] | None = self
        while layer is not None:
            if key in layer.own:
                return layer.own[key]
            layer = layer.parent
        return None

    def changed(self) -> dict[K, V]:
        """Return all that differs from the oldest layer."""
        result: dict[K, V] = {}
        for layer in reversed(self._lineage()[:-1]):
            result.update(layer.own)
        return result

    def items(self) -> dict[K, V]:
        """Return everything, the oldest layer included, as a new dictionary."""
        return self._lineage()[-1].own | self.changed()

    def flatten(self) -> None:
        """Merge all changes down into the oldest layer, in place; None values are dropped there.

        Costs what changed since the oldest layer. Overlays that descend from the oldest layer, but
        not from this one, are spent.
        """
        lineage = self._lineage()
        oldest = lineage[-1].own
        for key, value in self.changed().items():
            if value is None:
                oldest.pop(key, None)
            else:
                oldest[key] = value
        if len(lineage) > 1:
            self.own, self.parent = {}, lineage[-1]

    def clear(self) -> None:
        """Forget everything, and the parent."""
        self.own, self.parent = {}, None

    def _lineage(self) -> "list[Overlay[K, V]]":
        """Return this layer, its parent, and so on to the oldest."""
        lineage = [self]
        while (parent := lineage[-1].parent) is not None:
            lineage.append(parent)
        return lineage
