"""The fold in C, on arrays: the same rows as in Python. Optional: folding.py chooses."""
