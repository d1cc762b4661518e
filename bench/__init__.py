"""What the project promises, measured: ``./dev bench``."""
