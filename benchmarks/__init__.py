"""Benchmarks: `python -m benchmarks`. One file per subject, medians of several runs.

Times are only comparable within one run on one machine, so each is also given as a multiple of a
ceiling: the least work that anybody would have to do, measured in turn with it.
"""
