"""The data cache of this machine: downloads, layout, size limit."""
