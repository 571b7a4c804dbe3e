"""The log of hits: its interface, the format of a batch, and a driver for each kind of log."""
