"""Engines start, observe and stop a job's processes; an engine object is the compute target."""
