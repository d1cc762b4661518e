"""The launcher: starts a job, supervises it and writes its result."""
