"""Real servers for tests: loopback, free ports, a folder each."""
