"""Secrets: the vault and its encryption."""
