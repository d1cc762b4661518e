"""Commands that keep a workspace tidy: tag, rename, note, archive, pin, remove."""
