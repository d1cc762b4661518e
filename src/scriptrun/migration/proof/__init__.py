"""Proof that a rewritten file submits the same jobs."""
