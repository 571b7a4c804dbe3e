"""A reader of its own: sends a hit now and then, and times it until the public number shows it."""
