"""The process entry of a service: the launcher starts this file with the model's Python."""

import os
import sys


def main() -> int:
    """Serve what the run's ``service.json`` says; returns the exit code."""
    from scriptrun.runtime.serving import order

    service = order.read(os.environ["SCRIPTRUN_RUN_FOLDER"])
    sys.stderr.write("error: cannot serve {} yet\n".format(service.name))
    return 1


if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # as if the entry script had been started; PYTHONPATH has the runtime
    sys.exit(main())
