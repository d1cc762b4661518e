"""The result of ``get_ipython()`` in notebooks and in scripts converted from them.

``jupyter nbconvert --to script`` turns IPython lines into calls of its methods.
"""

from __future__ import annotations

import sys

from scriptrun.dropin.notebook import cells as notebook_cells
from scriptrun.dropin.notebook import magics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.dropin.notebook.magics import Namespace


class Shell:
    """Runs IPython lines and cells; ``space`` holds their variables."""

    def __init__(self, name: str, namespace: Namespace) -> None:
        self._name = name
        self.user_ns = namespace

    def run_line_magic(self, magic_name: str, line: str, *args: object) -> object:
        """Do ``%magic_name line``."""
        return notebook_cells.line_runner(self._name, self.user_ns)(
            f"%{magic_name} {line}".rstrip(), self.user_ns, True
        )

    def magic(self, arg_s: str) -> object:
        """Do ``%arg_s``."""
        return self.run_line_magic(*arg_s.lstrip("%").partition(" ")[::2])

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> None:
        """Do the cell ``%%magic_name line`` with the text ``cell``."""
        text = f"%%{magic_name} {line}".rstrip()
        notebook_cells.run_cell(
            notebook_cells.CodeCell(0, f"{text}\n{cell}"), self.user_ns, self._name
        )

    def system(self, cmd: str) -> None:
        """Do ``!cmd``."""
        magics.run_line(f"!{cmd}", self._name, self.user_ns)

    def getoutput(self, cmd: str) -> list[str]:
        """Return the output lines of ``!cmd``."""
        lines = magics.run_line(f"!{cmd}", self._name, self.user_ns, capture=True)
        assert isinstance(lines, list)
        return lines


def get_ipython() -> Shell:
    """Return the shell of the calling notebook or script."""
    caller = sys._getframe(1)
    return Shell(caller.f_code.co_filename, caller.f_globals)
