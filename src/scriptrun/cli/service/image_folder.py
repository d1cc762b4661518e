"""``scriptrun serve --package``: write a folder with a Dockerfile."""

from __future__ import annotations

from scriptrun.cli.terminal import attach, output, spinner
from scriptrun.core.workspace import Workspace
from scriptrun.services import package
from scriptrun.services.request import ServiceRequest
from scriptrun.spec.control_characters import one_line


def write(workspace: Workspace, request: ServiceRequest, folder: str, as_json: bool) -> int:
    """Write the package into ``folder``; return the exit code."""
    with attach.warnings_as_lines(), spinner.show_status("Writing the package"):
        made = package.package_request(workspace, request)
        made.save(folder)
    if as_json:
        output.print_json({"folder": folder, "image": made.location})
        return 0
    print(f"Wrote {one_line(folder)}. Build the image and start it with:")
    print(f"  docker build -t {made.location} {one_line(folder)}")
    print(f"  docker run --rm -p 127.0.0.1:{package.PORT}:{package.PORT} {made.location}")
    return 0
