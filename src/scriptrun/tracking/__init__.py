"""Run folders, events, metrics, the index, and settling what was left behind."""
