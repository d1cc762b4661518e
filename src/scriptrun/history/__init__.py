"""Finished runs: compare, rerun, reopen, lineage, dry run."""
