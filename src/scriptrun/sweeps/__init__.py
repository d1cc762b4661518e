"""Sweeps: run one job many times with different parameters, with a crash-safe driver."""
