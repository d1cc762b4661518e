"""Runs submitted by way of another host (ssh)."""
