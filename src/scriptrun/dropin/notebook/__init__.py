"""Notebooks and IPython: cells, magics, the Jupyter kernel."""
