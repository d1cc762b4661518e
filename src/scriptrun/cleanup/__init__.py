"""Free disk space: delete removed and old runs, and what nothing refers to."""
