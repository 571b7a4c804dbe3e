"""The Faust driver for logs whose positions grow with time: `redis://`, and `memory://` for tests.

`broker.py` says what a log must be able to do; `redis.py` and `memory.py` do it; `driver.py` makes
Faust's consumer of it; `leases.py` decides who owns which partition.
"""
