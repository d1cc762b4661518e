"""Datasets mounted as file systems (FUSE)."""
