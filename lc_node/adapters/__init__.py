"""The outside world, one foreign library a module, each behind a port."""
