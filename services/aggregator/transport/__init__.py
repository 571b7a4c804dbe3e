"""The Faust driver for logs whose positions grow: `redis://`, and `memory://` for tests.

`broker.py` says what a log must be able to do, beyond what `services/log` gives; `redis.py` and
`memory.py` do it. `driver.py` makes Faust's consumer of it, on `plain_consumer.py` and
`generations.py`, which says when it reads, and `faust_transport.py` hands it to Faust. `leases.py`
decides who owns which partition.
"""
