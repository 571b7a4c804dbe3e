"""The log in Kafka: a partition is a partition of a topic, and an append a transaction."""
