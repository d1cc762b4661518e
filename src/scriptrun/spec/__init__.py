"""Values that every room shares: the job, its states, its errors (standard library only)."""
