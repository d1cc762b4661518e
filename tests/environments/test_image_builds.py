"""Images by a real podman: what is built when, its layers, its digest, and a real registry."""

from __future__ import annotations

import ast
import base64
import json
import re

import pytest
import registry as registries
from channels import ODD
from index_server import serving
from pods import BASE, lacking
from wheel_making import make_repository, make_wheel

from scriptrun.config.environments.environment import ContainerRegistry, Environment
from scriptrun.core.workspace import Workspace
from scriptrun.environments import ensure
from scriptrun.environments.cache import listing as cache_listing
from scriptrun.preparation import build as build_environment
from scriptrun.spec.environment import AUTO
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store.secrets import vault

pytestmark = pytest.mark.podman


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A registry with a password, and secrets of the test's own."""
    if registries.missing():
        lacking(registries.missing())
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    with registries.Registry(tmp_path / "registry") as found:
        yield found


def workspace_at(place):
    return Workspace.create("images", path=place, exist_ok=True)


def with_packages(wheels, *names, image=BASE):
    made = Environment("packed")
    made.docker.base_image = image
    for each in names:
        made.python.conda_dependencies.add_pip_package(each)
    for option in ("--no-index", f"--find-links {wheels}"):
        made.python.conda_dependencies.set_pip_option(option)
    return made


def steps_for(environment, workspace):
    """What `env build --plan` says would be done."""
    return build_environment.plan(workspace, build_environment.spec_of(environment)).steps


def layers(podman, image):
    return json.loads(podman.say("image", "inspect", "--format", "{{json .RootFS.Layers}}", image))


def calls(podman, monkeypatch, tmp_path):
    """Let each command of podman be noted in the file that is given."""
    noted = tmp_path / "calls"
    program = tmp_path / "noting" / podman.program.name
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >> {noted}\nexec {podman.program} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("SCRIPTRUN_CONTAINER_TOOL", str(program))
    return noted


def images(podman):
    """The images by name, of all tests."""
    return {*podman.say("images", "--format", "{{.Repository}}:{{.Tag}}").split()}


def test_one_more_package_is_one_more_layer_and_what_is_there_is_not_asked_for(
    podman, tmp_path, wheels, monkeypatch
):
    others = images(podman)
    noted = calls(podman, monkeypatch, tmp_path)
    workspace = workspace_at(tmp_path / "workspace")
    first = with_packages(wheels, "red==1.0").build(workspace)
    built = noted.read_text()
    again = with_packages(wheels, "red==1.0")
    assert again.build(workspace).ready.container["image"] == first.ready.container["image"]
    assert noted.read_text() == built
    before = steps_for(with_packages(wheels, "red==1.0", "blue"), workspace)
    assert before[0] == f"Keep base image {BASE}."
    assert before[-1].startswith("Build the missing layers on top of it: a virtual")
    built = noted.read_text()
    details = again.get_image_details(workspace)
    assert noted.read_text() == built
    assert (details.image_exist, details.image) == (True, first.ready.container["image"])
    assert details.interpreter_path == "/opt/scriptrun/bin/python"

    more = with_packages(wheels, "red==1.0", "blue").build_local(workspace)
    added = noted.read_text().removeprefix(built)
    assert "uv venv" not in added and len(re.findall(r"\bcommit\b", added)) == 1
    one, two = (layers(podman, each.ready.container["image"]) for each in (first, more))
    assert one[:-1] == two[:-1] and one[-1] != two[-1]
    assert podman.say("image", "exists", f"localhost/scriptrun-env:{more.ready.key}") == ""
    held = podman.say(
        "run",
        "--rm",
        "--network=none",
        more.ready.container["image"],
        "python",
        "-c",
        "import red, blue; print(red.VERSION, blue.VERSION)",
    )
    assert held == "1.0 1.0"
    words = ("run", "--rm", "--network=none", more.ready.container["image"], "ls")
    assert podman.say(*words, "/run/scriptrun", "/tmp").split() == ["/run/scriptrun:", "/tmp:"]

    cache_listing.remove(more.ready.key)
    _, base, venv, packages = steps_for(with_packages(wheels, "red==1.0", "blue"), workspace)
    assert base == before[0]
    assert re.fullmatch(r"Keep the layer of a virtual environment of its Python 3\S+ in .*", venv)
    assert packages == "Build the layer of 2 packages, installed by uv."
    cache_listing.remove(first.ready.key)
    assert BASE in images(podman) and images(podman) <= others


def test_a_registry_of_the_workspace_and_one_of_the_base(
    podman, tmp_path, wheels, served, monkeypatch
):
    base = f"{served.address}/team/base:1"
    podman.say(
        "push",
        "--quiet",
        "--tls-verify=false",
        "--creds",
        f"{registries.USER}:{registries.PASSWORD}",
        BASE,
        base,
    )
    here, there = (workspace_at(tmp_path / each) for each in ("here", "there"))
    environment = with_packages(wheels, "red==1.0", image="team/base:1")
    environment.docker.base_image_registry = ContainerRegistry(
        address=served.address, username=registries.USER, password="wrong"
    )
    with pytest.raises(
        EnvironmentException,
        match=r"(?s)Pulling image .*(unauthorized|authentication required)",
    ) as error:
        environment.build(here)
    assert "The registry denied access" in str(error.value)
    assert "wrong" not in str(error.value)

    environment.docker.base_image_registry.password = registries.PASSWORD
    here.set_container_registry(served.address, registries.USER)
    built = environment.build(here)
    assert not built.ready.notes
    name = f"{served.address}/scriptrun-env:{built.ready.key}"
    assert f"Pushing image {name}." in built.get_log()
    for text in (built.get_log(), json.dumps(built.ready.lock), repr(here.container_registry)):
        assert registries.PASSWORD not in text

    for image in (name, f"localhost/scriptrun-env:{built.ready.key}"):
        podman.say("rmi", "--force", image)
    monkeypatch.setenv("SCRIPTRUN_CACHE", str(tmp_path / "another machine's"))
    there.set_container_registry(f"https://{served.address}/", registries.USER)
    pulled = environment.build(there)
    assert f"Pulling existing image {name}." in pulled.get_log()
    assert "Built image" not in pulled.get_log()
    assert pulled.ready.container["image"] == built.ready.container["image"]

    there.set_container_registry(served.address, "nobody")  # refused: the image is there anyway
    environment.python.conda_dependencies.add_pip_package("blue")
    other = environment.build(there)
    assert f"cannot push the image to {served.address}: " in other.ready.notes[-1]
    there.set_container_registry(None)
    assert there.container_registry == {}


def test_packages_of_a_private_index_and_a_wheel_of_the_workspace(
    podman, locks, said, tmp_path, monkeypatch
):
    """Neither the image, its history nor podman's command line hold what opened index and git."""
    noted = calls(podman, monkeypatch, tmp_path)
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(tmp_path / "secrets"))
    vault.store("team", "p@ss-hunter2")
    workspace = Workspace.create("w", path=tmp_path / "home")
    mauve = workspace.keep_wheel(make_wheel(tmp_path, "mauve", "4"))
    make_wheel(tmp_path / "index" / "violet", "violet", "1.0")
    make_repository(tmp_path / "index" / "indigo.git")
    with serving(tmp_path / "index", "me", "p@ss-hunter2") as host:
        made = Environment("private")
        made.docker.base_image = BASE
        conda = made.python.conda_dependencies
        repository = f"git+http://me:${{secret:team}}@{host}/indigo.git/.git"
        conda.set_pip_requirements(["violet", mauve, f"indigo @ {repository}"])
        conda.set_pip_index_url(f"http://me:${{secret:team}}@{host}/")
        spec = build_environment.spec_of(made)
        ready = ensure.ensure(spec, locks, said.append)
    image = ready.container["image"]
    code = "import violet, mauve, indigo; print(violet.VERSION, mauve.VERSION, indigo.VERSION)"
    assert podman.say("run", "--rm", image, "python", "-c", code).strip() == "1.0 4 7"
    login = base64.b64encode(b"me:p@ss-hunter2").decode()
    saved = tmp_path / "image.tar"
    docker = podman.program.name == "docker"
    save = ["save"] if docker else ["save", "--quiet", "--format", "docker-archive"]
    podman.say(*save, "--output", str(saved), image)
    layered = saved.read_bytes()
    assert b"VERSION = '7'" in layered  # they are not compressed
    assert b"hunter2" not in layered and login.encode() not in layered
    shown = podman.say("image", "inspect", image) + podman.say("history", "--no-trunc", image)
    told = "\n".join([shown, str(ready.lock), *said, noted.read_text()])
    assert "hunter2" not in told and login not in told
    assert "indigo @ file:///run/scriptrun" not in str(ready.lock)


def test_conda_packages_become_a_layer_of_an_image(podman, tmp_path, wheels, conda):
    workspace = workspace_at(tmp_path / "workspace")
    make_wheel(wheels, "ontop", needs=("red<2",))
    made = with_packages(wheels, "ontop", image=BASE)
    dependencies = made.python.conda_dependencies
    dependencies.add_conda_package("pin")
    dependencies.add_conda_package("tool")
    for channel in dependencies.conda_channels:
        dependencies.remove_channel(channel)
    dependencies.add_channel(conda)
    built = made.build(workspace)
    image = built.container["image"]
    say = ["run", "--rm", "--network=none", image]
    code = "import red, ontop, os; print(red.VERSION, ontop.VERSION, os.environ['CONDA_PREFIX'])"
    assert podman.say(*say, "python", "-c", code) == "1.0 1.0 /opt/scriptrun"
    assert podman.say(*say, "pin") == "pin 1.0 py_0"
    code = "import os; print([os.environ[f'TOOL_{name}'] for name in ('HOME', 'WORDS', 'ODD')])"
    seen = ast.literal_eval(podman.say(*say, "python", "-c", code))
    assert seen == ["/opt/scriptrun/share/tool", "two words", ODD]
    assert built.python == "/opt/scriptrun/bin/python"
    assert len(layers(podman, image)) == len(layers(podman, BASE)) + 2


def test_pins_are_relaxed_in_images_too_and_old_names_are_there(podman, tmp_path, wheels, conda):
    make_wheel(wheels, "numeric", "1.0", tag="cp36")
    make_wheel(wheels, "numeric", "1.1")
    workspace = workspace_at(tmp_path / "workspace")
    made = with_packages(wheels, "numeric==1.0")
    look = (
        "import numeric, collections, red; collections.Mapping; print(numeric.VERSION, red.VERSION)"
    )

    def relaxed(says):
        spec = build_environment.spec_of(made)
        with pytest.raises(EnvironmentException):
            ensure.ensure(spec, workspace.locks_folder, print)
        ready = ensure.ensure(spec.replace(pins=AUTO), workspace.locks_folder, print)
        words = ["run", "--rm", "--network=none", ready.container["image"], "python", "-c", look]
        assert podman.say(*words) == says
        return ready.lock["relaxed"]

    made.python.conda_dependencies.add_pip_package("red==1.0")
    assert relaxed("1.1 1.0") == {"numeric": ["1.0", "1.1"]}
    made.python.conda_dependencies.remove_pip_package("red")
    made.python.conda_dependencies.add_conda_package("red=1.5")
    made.python.conda_dependencies.add_conda_package("tool")
    for channel in made.python.conda_dependencies.conda_channels:
        made.python.conda_dependencies.remove_channel(channel)
    made.python.conda_dependencies.add_channel(conda)
    assert relaxed("1.1 2.0") == {"red": ["1.5", "2.0"], "numeric": ["1.0", "1.1"]}
