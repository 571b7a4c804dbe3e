"""The client of Redis, of one server, behind Sentinels or on a cluster; log and state share it."""
