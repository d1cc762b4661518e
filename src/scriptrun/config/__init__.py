"""What the user writes: job descriptions, environments, run configurations; no side effects."""
