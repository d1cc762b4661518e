"""Settings: defaults that a user or a project writes once, in a TOML file."""
