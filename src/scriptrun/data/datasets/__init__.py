"""Datasets: definitions, versions, and their content."""
