"""Code that travels with a job: the launcher and the in-job API. Standard library only.

Everything here is copied into the workspace and runs next to the job, so it never imports the rest
of the package. ``files``, ``identity``, ``events`` and ``injob`` support Python 3.6; the launcher
needs 3.8.
"""
