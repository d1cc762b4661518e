"""A job's data on its node: inputs downloaded or mounted, outputs uploaded."""
