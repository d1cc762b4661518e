"""What builders of images say before a container tool is asked, and what a real podman answers."""

from __future__ import annotations

import base64
import json
import os
import stat
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pods import BARE, BASE

from scriptrun.environments.builder import BuildCanceled, never
from scriptrun.environments.cache import folders as cache_folders
from scriptrun.environments.image import base, build, builder, export, plan, registry, removal, tool
from scriptrun.environments.image import conda as image_conda
from scriptrun.environments.image import lock as image_lock
from scriptrun.spec.environment import CONDA, IMAGE, DockerOptions, EnvironmentSpec
from scriptrun.spec.errors import EnvironmentException
from scriptrun.store import container_tool


def image(name="python:3.11", docker=None, **more):
    return EnvironmentSpec(IMAGE, image=name, docker=DockerOptions.from_dict(docker or {}), **more)


@pytest.mark.parametrize(
    ("name", "address", "full"),
    [
        ("python:3.11", "", "python:3.11"),
        ("python:3.11", "https://r.example.org/", "r.example.org/python:3.11"),
        ("me/base", "r:5000", "r:5000/me/base"),
        ("ghcr.io/me/base", "r:5000", "ghcr.io/me/base"),
        ("localhost/base", "r:5000", "localhost/base"),
        ("r:1/base", "other", "r:1/base"),
    ],
)
def test_a_registry_is_put_before_a_bare_name(name, address, full):
    assert base.full_name(image(name, {"registry": {"address": address}})) == full
    assert address or base.full_name(image(name, {"registry": None})) == full


@pytest.mark.parametrize(
    ("platform", "foreign"),
    [
        ({}, ""),
        ({"os": "Linux", "architecture": "amd64"}, ""),
        ({"os": "Linux", "architecture": "RISCV64"}, "linux/riscv64"),
        ({"os": "Windows", "architecture": "s390x"}, "windows/s390x"),
    ],
)
def test_another_platform_is_named(platform, foreign):
    spec = image(docker={"platform": platform})
    assert base.foreign_platform(spec) == foreign
    if foreign:
        with pytest.raises(EnvironmentException, match=foreign):
            image_conda.lock_packages(spec, {}, "", print, never)


def test_what_a_base_is_in_words():
    assert "Dockerfile" in base.describe(image(docker={"dockerfile": "FROM x"}))
    assert "/src" in base.describe(image(docker={"build_context": {"path": "/src"}}))
    assert base.describe(image("x:1")) == "x:1"


def test_why_an_image_cannot_be_built(tmp_path):
    context = {"build_context": {"path": str(tmp_path / "none")}}
    assert str(tmp_path / "none") in builder.Image.check(image(docker=context))[0]
    context["build_context"]["path"] = str(tmp_path)
    assert builder.Image.check(image(docker=context)) == []
    git = {"build_context": {"path": "https://h/r.git", "type": "git"}}
    assert builder.Image.check(image(docker=git)) == []
    assert builder.Image.check(image(pip=("git+https://u:p@h/r",))) != []


@settings(max_examples=30)
@given(st.text("abc/:", min_size=1), st.text("abc/:", min_size=1), st.text(max_size=3))
def test_layers_of_other_content_have_other_names(one, other, note):
    lock = {"conda": [{"name": one}], "requirements": "", "notes": [note]}
    names = {build.venv_tag(one, "python"), image_conda.layer_tag(lock, one)}
    assert len(names) == 2 and all(each.startswith("localhost/scriptrun-") for each in names)
    assert (build.venv_tag(other, "python") in names) is (one == other)
    assert (image_conda.layer_tag({**lock, "notes": []}, other) in names) is (one == other)
    made = builder.Image(image(), {**lock, "kind": IMAGE, "base": one})
    assert made.key() == builder.Image(image(), {**made.lockfile, "notes": []}).key()


@pytest.mark.parametrize(("packages", "words"), [("", "virtual environment"), (CONDA, "conda")])
def test_without_a_container_tool_all_say_so(tmp_path, packages, words):
    spec = image(docker={"packages": packages}, pip=("six",))
    lock = {"base": "x", "requirements": "six==1", "named": "x"}
    assert plan.unlocked(spec) == plan.locked(spec, lock, "key", {})
    assert "Cannot build images on this machine" in plan.unlocked(spec)[0]
    for call in (
        lambda: image_lock.resolve(spec, print, never),
        lambda: base.get(spec, print, never),
        lambda: build.build(spec, lock, "key", {}, print, never),
        lambda: export.carry("podman", "x", str(tmp_path), print, never),
    ):
        with pytest.raises(EnvironmentException, match="require a container tool"):
            call()
    assert registry.push("x", "key", {}, print, never) == ""
    assert registry.fetch("key", "tag", {}, print, never) == ""
    assert registry.shared_name("key", {"address": "r:1/x"}) == "r:1/x/scriptrun-env:key"


def test_an_image_for_nodes_is_ill_without_its_file(tmp_path):
    spec = image(docker={"nodes": "apptainer"})
    made = builder.Image(spec, {"kind": IMAGE, "base": "x", "interpreter": "/opt/p"})
    assert "interrupted" in made.why_unhealthy(str(tmp_path))
    note = {"image": "x", "kind": "podman", "root": "/r", "kept": "", "unpushed": "why"}
    (tmp_path / builder.NOTE).write_text(json.dumps(note))
    assert "image.sif" in made.why_unhealthy(str(tmp_path))
    (tmp_path / "image.sif").write_text("")
    assert made.why_unhealthy(str(tmp_path)) == ""
    ready = made.ready(str(tmp_path), cached=True, seconds=0)
    assert (ready.python, ready.bin, ready.notes) == ("/opt/p", "", ("why",))
    told = ready.container
    assert (told["kind"], told["file"]) == ("apptainer", str(tmp_path / "image.sif"))
    assert told["user"] == f"{os.getuid()}:{os.getgid()}"


# the tool's long work

CODE = "import sys; print('one'); print('s3cr3t two', file=sys.stderr); sys.exit({})"


def execute(code, *, stop=never, **more):
    said: list[str] = []
    argv = [sys.executable, "-u", "-c", code]
    return said, lambda: tool.execute(argv, "podman", "Pulling image x", said.append, stop, **more)


def test_lines_come_in_order_without_secrets():
    said, run = execute(CODE.format(0), masked=("s3cr3t", ""))
    assert run() == said == ["one", "*** two"]


def test_a_failure_has_the_last_lines_and_no_secret():
    said, run = execute(CODE.format(7), masked=("s3cr3t",))
    with pytest.raises(EnvironmentException) as caught:
        run()
    assert "Pulling image x failed" in caught.value.message and "s3cr3t" not in str(caught.value)
    assert said == ["one", "*** two"] and "*** two" in caught.value.message


def test_bytes_that_are_no_text_and_no_line_at_all_are_borne():
    said, run = execute("import os; os.write(1, b'\\xff\\xfe\\nlast')")
    assert run() == said == ["\ufffd\ufffd", "last"]
    _, run = execute("import sys; sys.exit(3)")
    with pytest.raises(EnvironmentException, match="exit code 3"):
        run()


def test_what_is_told_to_stop_is_ended():
    _, run = execute("import time; time.sleep(3600)", stop=lambda: True)
    with pytest.raises(BuildCanceled):
        run()


@pytest.mark.parametrize(
    ("doing", "line", "hint"),
    [
        ("Pulling x", "Error: unauthorized: no", "podman login"),
        ("Pulling x", "dial tcp: lookup h: no such host", "unreachable"),
        ("Pulling x", "manifest unknown", "name and tag"),
        ("Building x", "manifest unknown", ""),
        ("Building x", "registry: denied", "podman login"),
        ("Building x", "write: No space left on device", "image prune"),
        ("Pulling x", "what", ""),
    ],
)
def test_a_failure_says_what_to_do(doing, line, hint):
    error = tool.failure(doing, "podman", [line], 1)
    assert hint in error.hint if hint else not error.hint


def test_a_failure_names_its_step_and_leaves_out_the_tools_own_log():
    remark = 'time="2026" level=warning msg="again"'
    lines = ["STEP 1/2: FROM x", "STEP 2/2: RUN false", "no", remark]
    error = tool.failure("Building x", "podman", lines, 1)
    assert "failed at STEP 2/2: RUN false" in error.message and "again" not in error.message
    assert "again" in tool.failure("Building x", "podman", [remark], 1).message
    many = tool.failure("x", "podman", [f"line {n}" for n in range(99)], 1).message
    assert "line 98" in many and many.count("\n") == tool.TAIL_LINES


@settings(max_examples=20)
@given(st.text(min_size=1), st.text(min_size=1))
def test_a_login_is_for_its_block_and_its_owner(username, password):
    if any(0xD800 <= ord(each) < 0xE000 for each in username + password):
        return
    with tool.registry_login("r:1", username, password) as environ:
        path = environ["REGISTRY_AUTH_FILE"]
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert os.path.dirname(path) == environ["DOCKER_CONFIG"]
        with open(path) as handle:
            auth = json.load(handle)["auths"]["r:1"]["auth"]
        assert base64.b64decode(auth).decode() == f"{username}:{password}"
    assert not os.path.exists(path)
    with tool.registry_login("r:1", username, "") as environ:
        assert environ == {}


# what podman answers


@pytest.mark.podman
def test_a_base_is_looked_at_and_what_is_missing_is_named(podman, said):
    assert base.get(image(BASE), said.append, never) == registry.image_id(BASE)
    assert registry.image_id("localhost/none:1") == ""
    facts = image_lock.inspect_base(image(BASE), BASE, said.append, never)
    assert facts["shell"] and facts["interpreter"] and facts["python"].startswith("3.")
    assert image_lock.inspect_base(image(BARE), BARE, said.append, never)["interpreter"] is None
    with pytest.raises(EnvironmentException, match="no interpreter 'pypy'"):
        image_lock.inspect_base(image(BASE, interpreter="pypy"), BASE, said.append, never)
    with pytest.raises(EnvironmentException, match="not found on this machine"):
        base.get(image("localhost/none:1"), said.append, never)
    with pytest.raises(EnvironmentException, match="Cannot inspect"):
        base.inspect("localhost/none:1")
    steps = plan.unlocked(image(BASE, pip=("six",)))
    assert steps[0] == f"Keep base image {BASE}." and len(steps) == 4


@pytest.mark.podman
def test_layers_that_another_environment_needs_stay(podman):
    ours, other = "1" * 40, "2" * 40
    first = podman.image("localhost/scriptrun-base:first", f"FROM {BASE}\nENV A=1")
    key = {"kind": IMAGE, "base": first, "base_interpreter": "p", "requirements": "six==1"}
    places = [cache_folders.reserve(name) for name in (ours, other)]
    for place in places:
        cache_folders.mark(place, {"lock": key})
    found = container_tool.require()
    removal.remove_layers(found, places[0])
    assert registry.image_id("localhost/scriptrun-base:first")
    building = cache_folders.reserve("3" * 40)
    cache_folders.discard(places[1])
    removal.remove_layers(found, places[0])
    assert registry.image_id("localhost/scriptrun-base:first"), "who builds may stand on it"
    cache_folders.discard(building)
    removal.remove_layers(found, places[0])
    assert not registry.image_id("localhost/scriptrun-base:first")
    assert registry.image_id(BASE)
