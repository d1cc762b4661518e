"""Container tools as a launcher uses them: docker, podman, apptainer, enroot."""
