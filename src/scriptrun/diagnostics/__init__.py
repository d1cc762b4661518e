"""``scriptrun doctor`` and ``scriptrun compute check``."""
