"""Container images: plans, builds, export, registries."""
