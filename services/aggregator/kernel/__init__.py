"""The fold in C, over arrays: the same rows as in Python. Optional: folding.py chooses."""
