"""Snapshots of source directories: taken, stored, laid out."""
