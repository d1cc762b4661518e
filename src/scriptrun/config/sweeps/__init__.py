"""Sweeps as the user describes them: search space, sampling, early termination."""
