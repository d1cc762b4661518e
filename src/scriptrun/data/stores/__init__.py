"""Storage protocols: local folders, object stores, the web, fsspec."""
