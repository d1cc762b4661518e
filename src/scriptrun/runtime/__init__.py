"""What travels with a job: the launcher and what the script imports. Standard library only.

Everything here is copied into the workspace and runs beside the job, so nothing here imports the
rest of the package. ``files``, ``identity``, ``events`` and ``injob`` keep to Python 3.6; the
launcher needs 3.8.
"""
