"""Estimator calls, rewritten to ScriptRunConfig."""
