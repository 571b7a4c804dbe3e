"""The log in memory; `services/log/drivers/memory.py` puts the parts together."""
