"""A run's environment: resolved, built, recorded before the run starts."""
