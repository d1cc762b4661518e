"""Models that are served without an entry script, by what they are: one module per framework.

Each module has ``load(path)``, which returns a predictor: a function that takes a ``ModelInput``
and returns the predictions.
"""
