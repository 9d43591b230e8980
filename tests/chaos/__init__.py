"""Sweeps that are killed, stopped and disturbed, and what must be the same in the end.

``python -m tests.chaos --seed N --kills K`` kills the whole process group of a tiny sweep K times.
"""
