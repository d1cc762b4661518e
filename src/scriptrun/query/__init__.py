"""The query language for runs: ``state=failed and params.alpha>0.1 and submitted>-2d``."""
