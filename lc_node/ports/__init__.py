"""What the node needs of the outside world, as small protocols; adapters implement them."""
