"""The log on Redis Streams; `services/log/drivers/redis.py` puts the parts together."""
