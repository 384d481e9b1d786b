"""The side of contract lc/1 that runs inside the image."""
