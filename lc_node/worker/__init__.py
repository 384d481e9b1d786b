"""A job on this machine: policy, contract, state machine, comparison. Pure."""
