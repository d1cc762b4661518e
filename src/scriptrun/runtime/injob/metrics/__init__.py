"""Metrics in a job: log calls, files, reading them back (Python 3.6+)."""
