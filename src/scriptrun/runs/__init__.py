"""Runs on disk: find and follow them, their status and details."""
