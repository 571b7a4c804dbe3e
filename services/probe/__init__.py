"""A synthetic reader: sends a hit periodically, and measures when the public number shows it."""
