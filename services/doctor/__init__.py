"""What could be wrong with a running Luot, looked at one thing after the other."""
