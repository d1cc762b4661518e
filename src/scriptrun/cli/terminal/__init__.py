"""Terminal output: tables, progress bars and followed runs."""
