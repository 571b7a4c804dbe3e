"""The drivers of the log, one module each, with the names of `services/model/log_schemes.py`.

Only the driver of the log that is opened is imported: the client library of another one would
waste memory in every process.
"""
