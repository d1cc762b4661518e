"""How podman is called, by the launcher and by scriptrun itself (Python 3.8+)."""

#: it keeps no events: reading its file of them, which some machines have, has been seen to hold a
#: container up for many seconds
OPTIONS = ["--events-backend=none"]
#: podman 5 warns of control groups of version 1 on standard error, which becomes the job's log
VARIABLES = {"PODMAN_IGNORE_CGROUPSV1_WARNING": "1"}
