"""Where data lies: datastores."""
