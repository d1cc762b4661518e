"""Names that IPython has removed, and that old notebooks import: from IPython.core.display."""

from __future__ import annotations

from IPython import display
from IPython.core import display as core_display

_MOVED = (
    "display",
    "display_html",
    "display_jpeg",
    "display_json",
    "display_latex",
    "display_markdown",
    "display_pdf",
    "display_png",
    "display_pretty",
    "display_svg",
    "clear_output",
    "publish_display_data",
    "update_display",
)
_PLOT_SETTINGS = ("set_matplotlib_formats", "set_matplotlib_close")


def restore() -> None:
    """Add the names that this IPython lacks."""
    for name in _MOVED:
        if hasattr(display, name) and not hasattr(core_display, name):
            setattr(core_display, name, getattr(display, name))
    for name in _PLOT_SETTINGS:
        for module in (display, core_display):
            if not hasattr(module, name):
                setattr(module, name, _ignore)


def _ignore(*args: object, **kwargs: object) -> None:
    """How plots look in a browser."""
