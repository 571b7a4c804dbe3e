"""Everything breaks while the log is in three Kafka brokers."""
