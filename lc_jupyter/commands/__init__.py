"""The magics, a class for each family; they share one connection."""
