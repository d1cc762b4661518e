"""Python interpreters: discovery, facts, downloads."""
