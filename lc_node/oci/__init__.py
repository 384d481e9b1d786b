"""OCI image types, constants and the deterministic layer writer. Pure."""
