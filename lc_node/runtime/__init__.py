"""The imperative shell: builds the adapters, drives the pure machines, performs their outputs."""
