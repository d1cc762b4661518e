"""What a launcher does differently under each scheduler."""
