"""The drivers of the log, one module each: another driver is one more file, and its schemes, here.

Only the driver of the log that is opened is imported: the client of another one would be memory
that every process holds for nothing.
"""

SCHEMES = {
    "redis": "redis",
    "rediss": "redis",
    "unix": "redis",
    "redis+sentinel": "redis",
    "rediss+sentinel": "redis",
    "kafka": "kafka",
    "kafkas": "kafka",
    "memory": "memory",
}
"""The module that serves each scheme of a URL."""
