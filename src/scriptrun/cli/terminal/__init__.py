"""What the terminal shows while a command works: tables, progress, a run being followed."""
