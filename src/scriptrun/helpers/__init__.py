"""Processes that answer for scriptrun elsewhere: beside a job, on a login node."""
