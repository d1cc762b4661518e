"""Builders of environments: request to lock, lock to a built place; each built once."""
