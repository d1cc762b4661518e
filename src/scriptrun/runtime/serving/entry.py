"""The process entry of a service: the launcher starts this file with the model's Python."""

import os
import sys


def main() -> int:
    """Serve what the run's ``service.json`` says; returns the exit code."""
    if sys.argv[1:2] == ["--worker"]:
        from scriptrun.runtime.serving import worker

        return worker.main(sys.argv[2:])
    from scriptrun.runtime.serving import order

    folder = os.environ["SCRIPTRUN_RUN_FOLDER"]
    service = order.read(folder)
    if service.test is not None:
        from scriptrun.runtime.serving import trial

        return trial.run(service, folder)
    from scriptrun.runtime.serving import master

    return master.Master(service, folder, os.path.abspath(__file__)).run()


if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # as if the entry script had been started; PYTHONPATH has the runtime
    sys.exit(main())
