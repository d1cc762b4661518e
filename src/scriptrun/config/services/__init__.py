"""How models are served: the user's configurations, with the SDK v1's names."""
