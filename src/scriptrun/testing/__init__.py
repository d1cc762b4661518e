"""Shared suites that every engine, builder and store must pass; for us and for plug-in authors."""
