"""What commands print with --json: a JSON Schema for each."""
