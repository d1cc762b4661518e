"""Locks and leases: flocks on a local disk, lease folders on a shared one."""
