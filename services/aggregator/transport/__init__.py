"""The Faust driver for logs whose positions grow: Redis, Kafka, and `memory://` for tests.

`broker.py` declares what a log must provide beyond `services/log`; `redis.py`, `kafka.py` and
`memory.py` implement it. `driver.py` makes a Faust consumer of it, based on `plain_consumer.py` and
on `generations.py`, which decides when it reads; `faust_transport.py` passes it to Faust.
`leases.py` decides who owns which partition.
"""
