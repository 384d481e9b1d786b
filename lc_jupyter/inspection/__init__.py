"""What a model's file says of itself, read without loading it."""
