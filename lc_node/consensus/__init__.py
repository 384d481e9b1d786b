"""How the network agrees: Simplex consensus as a pure state machine."""
