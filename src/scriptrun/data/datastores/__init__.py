"""Datastores: their classes, their records, and references into them."""
