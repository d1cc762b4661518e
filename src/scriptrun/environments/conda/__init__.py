"""Conda environments, solved and installed by rattler."""
