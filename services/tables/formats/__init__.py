"""The systems whose exports can be read: one file for each."""
