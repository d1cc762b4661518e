"""Environments as the user describes them, and the files that describe them."""
