"""How podman is called, by the launcher and by scriptrun itself (Python 3.8+)."""

#: without an events file: reading it has delayed containers by many seconds on some machines
OPTIONS = ["--events-backend=none"]
#: podman 5 warns about cgroups v1 on standard error, which becomes the job's log
VARIABLES = {"PODMAN_IGNORE_CGROUPSV1_WARNING": "1"}
