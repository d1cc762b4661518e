"""The commands that list, show, compare and act on runs."""
