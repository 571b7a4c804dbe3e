"""The systems whose exports are read: one file for each."""
