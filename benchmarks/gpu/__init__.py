"""What only a GPU shows, in nine minutes: ``python -m benchmarks.gpu`` in the repository's root."""
