"""Services: models that answer requests. A service is a run whose process serves a model."""
