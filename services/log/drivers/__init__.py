"""The drivers of the log, one module each, named after its URL scheme: a new one is one more file.

Only the driver of the log that is opened is imported: the client library of another one would
waste memory in every process.
"""

from pkgutil import iter_modules

_OF_CLUSTERS = ("redis+cluster", "rediss+cluster")
_OF_REDIS = ("rediss", "unix", "redis+sentinel", "rediss+sentinel", *_OF_CLUSTERS)
_OTHER_NAMES = dict.fromkeys(_OF_REDIS, "redis") | {"kafkas": "kafka"}

SCHEMES = {module.name: module.name for module in iter_modules(__path__)} | _OTHER_NAMES
"""The module that serves each scheme of a URL."""
