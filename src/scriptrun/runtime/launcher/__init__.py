"""The launcher: starts one job, supervises it, writes its result."""
