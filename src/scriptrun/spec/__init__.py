"""Values that every package shares: the job, its states, its errors (standard library only)."""
