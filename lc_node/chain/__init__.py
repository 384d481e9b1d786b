"""What the network agrees on: pure functions from a state and a block to the next state."""
