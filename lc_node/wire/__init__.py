"""What peers say to each other: messages, framing, sessions, limits. Pure."""
