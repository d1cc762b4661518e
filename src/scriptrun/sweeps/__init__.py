"""Sweeps: one job run many times with other parameters, by a driver that may die at any moment."""
