"""The door to a node: a versioned schema, its server and its clients."""
