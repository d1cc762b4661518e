"""What a workspace registers: compute targets, environments, models, experiments."""
