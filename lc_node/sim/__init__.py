"""The deterministic simulator: many nodes, one process, a virtual clock, one seed."""
