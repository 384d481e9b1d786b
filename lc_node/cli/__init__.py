"""The command lc-node, one file a command group."""
