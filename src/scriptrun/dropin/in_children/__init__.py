"""A folder for the PYTHONPATH of the processes that old code starts."""
