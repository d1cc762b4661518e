"""The environment cache: its folders, usage, size limit, pruning."""
