"""Run folders, events, metrics, the run index and run states."""
