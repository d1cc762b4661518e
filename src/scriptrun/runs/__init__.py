"""Runs on disk: found, followed, their status and details."""
