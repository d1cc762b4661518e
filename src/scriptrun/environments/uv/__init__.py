"""Environments of PyPI packages, resolved and installed by uv."""
