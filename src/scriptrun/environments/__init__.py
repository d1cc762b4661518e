"""Environment builders: lock a request, then build the lockfile once per machine."""
