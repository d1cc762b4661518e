"""Processes that answer for scriptrun elsewhere: for a job, on a login node."""
