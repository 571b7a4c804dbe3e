"""The log of hits on Redis Streams: keys, the format of a batch, the append that cannot repeat."""
