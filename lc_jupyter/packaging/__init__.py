"""The current environment as an OCI image."""
