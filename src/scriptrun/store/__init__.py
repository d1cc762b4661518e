"""Content-named files and folders, leases, registries, snapshots."""
