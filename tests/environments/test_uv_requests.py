"""What uv is asked and told: requirement lines, options, secrets of indexes, and its errors."""

from __future__ import annotations

import base64
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun.environments.uv import (
    compat_names,
    errors,
    index_credentials,
    lock_inputs,
    requirements,
)
from scriptrun.spec.environment import PACKAGES, EnvironmentSpec
from scriptrun.spec.errors import SecretException
from scriptrun.store.secrets import vault


@pytest.fixture
def secrets(tmp_path, monkeypatch):
    """Keeps secrets in a folder of the test's own."""
    folder = tmp_path / "secrets"
    monkeypatch.setenv("SCRIPTRUN_SECRETS", str(folder))
    monkeypatch.setenv("SCRIPTRUN_SECRETS_KEY", "of this test")
    monkeypatch.delenv("GIT_CONFIG_COUNT", raising=False)
    monkeypatch.setattr(vault, "_offered", {})
    return vault.store


def spec(*pip, options=(), conda=(), **more):
    return EnvironmentSpec(kind=PACKAGES, pip=pip, pip_options=options, conda=conda, **more)


@pytest.mark.parametrize(
    ("options", "kept", "flags"),
    [
        ((), (), ()),
        (("--pre",), (), ("--prerelease", "allow")),
        (("--trusted-host=h",), (), ("--allow-insecure-host", "h")),
        (("--trusted-host h",), (), ("--allow-insecure-host", "h")),
        (("--no-deps", "--prefer-binary"), (), ("--no-deps",)),
        (("--no-index", "--no-index"), ("--no-index",), ()),
        (("-i https://h/",), ("-i https://h/",), ()),
        (('--index-url "https://h/"',), ("--index-url https://h/",), ()),
        (
            ("--extra-index-url https://h/",),
            ("--extra-index-url https://h/",),
            ("--index-strategy", "unsafe-best-match"),
        ),
        (
            ("--extra-index-url https://h/", "--index-strategy first-index"),
            ("--extra-index-url https://h/",),
            ("--index-strategy", "first-index"),
        ),
    ],
)
def test_options_go_into_the_file_or_to_uv_itself(options, kept, flags):
    made = requirements.from_spec(spec("six", options=options))
    assert (made.options, made.flags, made.lines) == (kept, flags, ("six",))
    assert requirements.from_spec(spec("six", *options)) == made, (
        "among the requirements they are the same"
    )


def test_folders_of_wheels_that_are_not_there_are_left_out_with_a_note(tmp_path):
    request = requirements.from_spec(
        spec("six", f"-f {tmp_path}", options=(f"--find-links={tmp_path / 'no wheels'}",))
    )
    assert request.options == (f"-f {tmp_path}",)
    assert [note.partition(": ")[2] for note in request.notes] == [
        "ignored, there is no such folder"
    ]


def test_comments_blank_lines_and_doubles_are_left_out():
    made = requirements.from_spec(spec("  six ", "# why", "", "six", "-e /x/y", "--editable /z"))
    assert made.lines == ("six", "-e /x/y", "--editable /z")
    assert made.direct() == ["-e /x/y", "--editable /z"]


@pytest.mark.parametrize(
    ("lines", "kept", "notes"),
    [
        (("sklearn", "six"), ("six", "scikit-learn"), 1),
        (("sklearn==0.0",), ("scikit-learn",), 1),
        (("sklearn", "scikit-learn==0.24"), ("scikit-learn==0.24",), 1),
        (("tensorflow-gpu",), ("tensorflow",), 1),
        (("tensorflow-gpu==1.15",), ("tensorflow-gpu==1.15",), 0),
    ],
)
def test_empty_packages_are_those_that_they_stand_for(lines, kept, notes):
    made = requirements.from_spec(spec(*lines))
    assert (made.lines, len(made.notes)) == (kept, notes)


def test_what_is_locked_is_installed_without_resolving():
    made = requirements.from_spec(
        spec(options=("--pre", "--no-deps", "--trusted-host h", "--extra-index-url https://h/"))
    )
    options, flags = made.for_sync()
    assert options == ("--extra-index-url https://h/",)
    assert flags == ("--allow-insecure-host", "h", "--index-strategy", "unsafe-best-match")


def test_indexes_of_a_project_count_when_it_is_installed():
    table = {
        "index": [{"url": "https://a/", "default": True}, {"url": "https://b/"}],
        "extra-index-url": ["https://c/"],
        "find-links": ["/d"],
    }
    options, flags = requirements.from_spec(spec("six", uv=table)).for_sync()
    assert options == (
        "--index-url https://a/",
        "--extra-index-url https://b/",
        "--extra-index-url https://c/",
        "--find-links /d",
    )
    assert flags == ("--index-strategy", "unsafe-best-match")


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("./lib", "./lib"),
        ("-e ../lib", "../lib"),
        (".[extra]", ".[extra]"),
        ("file:../lib", "../lib"),
        ("--require-virtualenv", "--require-virtualenv"),
        ("(six)", "'('"),
        ("=six", "'='"),
        ("/gone/lib", "'/gone/lib' does not exist"),
        ("-e /gone/lib[a]", "'/gone/lib' does not exist"),
        ("x @ file:///gone/a%20b.whl#sha256=0", "'/gone/a b.whl' does not exist"),
        ("six --global-option=x", "option --global-option"),
        ("git@example.invalid:a/b.git", "use git+ssh://git@example.invalid/a/b.git"),
        ("git+git@example.invalid:a/b.git", "use git+ssh://git@example.invalid/a/b.git"),
    ],
)
def test_lines_that_cannot_be_met_are_named(secrets, line, named):
    (said,) = requirements.problems(spec("numpy", line))
    assert named in said


@pytest.mark.parametrize(
    "line",
    "six six==1.0 six[a]>=1;python_version>'3' /usr/lib ~/lib git+https://git@h/r .hidden-name "
    "-e=/usr --no-index --extra-index-url=https://${TOKEN}@h/ # $VAR \\ ssh://git@h/r".split(),
)
def test_lines_that_can(secrets, line):
    assert requirements.problems(spec(line)) == []


def test_a_password_in_a_line_is_told_without_being_shown(secrets):
    (said,) = requirements.problems(spec("six", options=("-i https://me:hunter2@h/",)))
    assert "hunter2" not in said
    assert "h/" in said


def test_a_secret_that_is_not_here_is_named_and_one_that_is_is_fine(secrets):
    line = "-i https://u:${secret:mine}@h/"
    (said,) = requirements.problems(spec("six", options=(line,)))
    assert "'mine'" in said
    secrets("mine", "x")
    assert requirements.problems(spec("six", options=(line,))) == []
    table = {"index": [{"url": "https://u:${secret:other}@h/"}]}
    (said,) = requirements.problems(spec("six", uv=table))
    assert "'other'" in said


@pytest.mark.parametrize(
    ("locked", "hashed"),
    [
        ("", True),
        ("# only words\n\n", True),
        ("a==1 --hash=sha256:00\n", True),
        ("a==1 \\\n    --hash=sha256:00\n", True),
        ("a==1 --hash=sha256:00\nb==2\n", False),
        ("a @ git+https://h/r@abc\n", False),
    ],
)
def test_whether_all_that_is_locked_has_a_hash(locked, hashed):
    assert requirements.all_hashed(locked) is hashed


NAMES = st.sampled_from(["a", "b-c", "d.e"])
DIGESTS = st.lists(st.sampled_from(["00", "11", "22"]), min_size=1, max_size=2, unique=True)


@settings(max_examples=80)
@given(locked=st.dictionaries(NAMES, DIGESTS, min_size=1), given_=st.dictionaries(NAMES, DIGESTS))
def test_digests_that_are_given_stand_over_the_indexs(locked, given_):
    def text(pins, joint):
        return "".join(
            f"{name}==1{joint}{joint.join(f'--hash=sha256:{each}' for each in found)}\n"
            for name, found in pins.items()
        )

    lines = [
        f"{name.upper()}[x] == 1 {' '.join('--hash=sha256:' + e for e in each)}"
        for name, each in given_.items()
    ]
    made = lock_inputs.keep_requested_digests(text(locked, " \\\n    "), lines)
    wanted = {name: given_.get(name, each) for name, each in locked.items()}
    assert made == text(wanted, " \\\n    ")
    assert requirements.all_hashed(made)


def _request(**more):
    words = {"python": None, "lines": ("six==1", 'q"uote'), "options": (), "flags": (), "notes": ()}
    return requirements.Request(**{**words, **more})


def test_a_request_is_written_as_a_file_of_requirements_for_its_user_alone(secrets, tmp_path):
    secrets("mine", "s3cret/x")
    made = _request(lines=("six==1",), options=("-i https://u:${secret:mine}@h/",))
    (path,), private = lock_inputs.write(made, (3, 11), str(tmp_path))
    text = Path(path).read_text()
    assert "s3cret" not in text
    assert text.splitlines()[-1] == "six==1"
    assert Path(path).stat().st_mode & 0o077 == 0
    filled = index_credentials.expand_variables(text, private)
    assert "https://u:s3cret%2Fx@h/" in filled


@settings(max_examples=60)
@given(
    table=st.dictionaries(
        st.text("abc-. é", min_size=1, max_size=5),
        st.recursive(
            st.booleans()
            | st.integers(-9, 9)
            | st.floats(allow_nan=False)
            | st.datetimes()
            | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
            | st.sampled_from(["\U0001f600", "\x7f\x85\u2028", "\ufeff"]),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.text("ab'\"", max_size=3), inner, max_size=2)
            ),
            max_leaves=4,
        ),
        max_size=3,
    )
)
def test_a_project_is_toml_of_the_same_values(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    paths, private = lock_inputs.write(_request(uv={"x": 1, **table}), (3, 9), str(folder))
    read = tomllib.loads(Path(paths[-1]).read_text("utf-8"))
    assert read["tool"]["uv"] == {"x": 1, **table, "package": False}
    assert read["project"]["dependencies"] == ["six==1", 'q"uote']
    assert read["project"]["requires-python"] == ">=3.9"
    assert private == {}


def test_named_indexes_of_a_project_have_their_logins_in_variables(secrets, tmp_path):
    secrets("mine", "p@ss")
    table = {
        "index": [
            {"name": "in-house.x", "url": "https://u%40x:${secret:mine}@h/simple"},
            {"url": "https://h2/simple"},
        ]
    }
    paths, private = lock_inputs.write(_request(uv=table), (3, 9), str(tmp_path))
    read = tomllib.loads(Path(paths[-1]).read_text())["tool"]["uv"]["index"]
    assert [each["url"] for each in read] == ["https://h/simple", "https://h2/simple"]
    assert read[0]["name"] == "in-house.x"
    assert private["UV_INDEX_IN_HOUSE_X_USERNAME"] == "u@x"
    assert private["UV_INDEX_IN_HOUSE_X_PASSWORD"] == "p@ss"


@pytest.mark.parametrize(
    ("value", "login"),
    [("me:pw", "me:pw"), ("token", "__token__:token"), ("m/e:p:w", "m%2Fe:p%3Aw")],
)
def test_the_secret_of_a_host_is_its_login(secrets, value, login):
    assert index_credentials.login_for("h:80") == ""
    secrets(index_credentials.host_secret_name("h:80"), value)
    assert index_credentials.login_for("h:80") == login
    text, private = index_credentials.filled("-i https://h:80/simple\nsix @ https://h:80/x.whl")
    assert value not in text
    assert index_credentials.expand_variables(text, private).splitlines() == [
        f"-i https://{login}@h:80/simple",
        "six @ https://h:80/x.whl",
    ], "only lines that name an index get it"
    assert private["UV_DEFAULT_INDEX"] == f"https://{login}@h:80/simple"


@settings(max_examples=60)
@given(name=st.text("abc./-:@ é", min_size=1, max_size=8).filter(lambda name: "}" not in name))
def test_a_lock_names_the_secret_again(name, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCRIPTRUN_SECRETS", str(tmp_path_factory.mktemp("secrets")))
        patch.setattr(vault, "_offered", {name: "hidden-value"})
        line = f"-i https://u:${{secret:{name}}}@h/simple"
        text, private = index_credentials.filled(line)
        assert index_credentials.secret_names(line) == [name]
        assert index_credentials.restore_references(text, [line]) == line
        assert "hidden-value" not in text
        assert "hidden-value" in index_credentials.values_to_mask(private)


def test_a_repository_gets_its_login_by_gits_variables(secrets):
    secrets("mine", "t0ken")
    line = "six @ git+https://me:${secret:mine}@h/r.git@main"
    text, private = index_credentials.filled(line)
    assert text == "six @ git+https://h/r.git@main"
    assert private["GIT_CONFIG_COUNT"] == "1"
    assert private["GIT_CONFIG_KEY_0"] == "http.https://h/.extraHeader"
    sent = private["GIT_CONFIG_VALUE_0"].rpartition(" ")[2]
    assert base64.b64decode(sent) == b"me:t0ken"
    assert sent in index_credentials.values_to_mask(private)
    assert index_credentials.restore_references(text, [line]) == line


def test_a_secret_that_is_not_there_is_an_error(secrets):
    with pytest.raises(SecretException, match="absent"):
        index_credentials.filled("-i https://${secret:absent}@h/")


def test_uvs_variables_as_lines_of_options():
    variables = {
        "UV_INDEX": "house=https://a/ https://b/",
        "UV_INDEX_URL": "https://old/",
        "UV_DEFAULT_INDEX": "https://new/",
        "UV_FIND_LINKS": "/c,/d",
        "UV_OFFLINE": "1",
    }
    rest, lines = index_credentials.split_index_options(variables)
    assert rest == {"UV_OFFLINE": "1"}
    assert sorted(lines) == [
        "--extra-index-url https://a/",
        "--extra-index-url https://b/",
        "--find-links /c",
        "--find-links /d",
        "--index-url https://new/",
    ]


def test_uvs_variables_get_the_logins_of_their_hosts(secrets):
    secrets("index-a", "u:p")
    secrets("mine", "x/y")
    given_ = {
        "UV_INDEX": "https://a/s https://b/",
        "UV_INDEX_URL": "https://${secret:mine}@c/",
        "A": "https://a/",
    }
    made = index_credentials.with_index_secrets(given_)
    assert made == {
        "UV_INDEX": "https://u:p@a/s https://b/",
        "UV_INDEX_URL": "https://x%2Fy@c/",
        "A": "https://a/",
    }


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("at https://u:p@h/x", "at https://***@h/x"),
        ("https://tok@h/ and git+ssh://git@g/", "https://***@h/ and git+ssh://***@g/"),
        ("https://h/a@b", "https://h/a@b"),
        ("no address: a@b", "no address: a@b"),
    ],
)
def test_names_and_passwords_are_not_shown(line, shown):
    assert errors.redact(line) == shown


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (
            ["  \u00d7 No solution found when resolving dependencies:", "  ╰─▶ Because nopkg was not found in the package registry and you require nopkg, we can conclude that your requirements are unsatisfiable."],
            ["'nopkg'"],
        ),
        (
            ["  \u00d7 No solution found when resolving dependencies:", "  ╰─▶ Because you require six==1 and six==2, we can conclude that your requirements are unsatisfiable."],
            ["six==1", "six==2"],
        ),
        (
            ["error: Failed to fetch: `https://h.invalid/simple/six/`", "  Caused by: dns error: failed to lookup address information"],
            ["https://h.invalid/simple/six/", "dns error"],
        ),
        (["error: failed to write `/cache/x`: No space left on device (os error 28)"], ["/cache/x", "No space left"]),
        (
            ["error: Failed to fetch: `https://u:pw@h/simple/six/`", "  Caused by: HTTP status client error (401 Unauthorized) for url"],
            ["401 Unauthorized", "index-h"],
        ),
        (
            ["error: Git operation failed", "  Caused by: failed to fetch 'https://u:pw@h/r.git'", "  fatal: repository not found"],
            ["***@h/r.git", "repository not found"],
        ),
        (["error: Hash mismatch for `six==1.0`", "Expected: sha256:00"], ["six==1.0"]),
        (
            ["  \u00d7 Failed to build `old==0.1`", "  ├─▶ The build backend returned an error", "      ValueError: it is too old", "  hint: no"],
            ["'old==0.1'", "ValueError: it is too old"],
        ),
        (
            ["error: Couldn't parse requirement in `r.in` at position 0", "  Caused by: Expected a name", "=six", "^"],
            ["=six", "Expected a name"],
        ),
        (
            ["error: Couldn't parse requirement in `r.in` at position 0", "  cause: Trailing `six \\", "` is not allowed", "  six \\", "", "  ^^^"],
            ["requirement 'six \\\\'"],
        ),
        (["error: six was not found in the cache", "  hint: Packages were unavailable because the network was disabled."], ["'six'", "UV_OFFLINE"]),
        (["Resolved 3 packages", "error: something new", "  Caused by: for a reason"], ["something new"]),
        ([], []),
    ],
)  # fmt: skip
def test_uvs_errors_name_the_package_and_the_reason(lines, named):
    message, hint = errors.explain(lines)
    whole = f"{message} {hint}"
    assert all(each in whole for each in named)
    assert "pw" not in message.replace("pwd", "")
    assert "\n" not in message


@settings(max_examples=100)
@given(
    lines=st.lists(
        st.text(max_size=30)
        | st.sampled_from(
            [
                "error: x",
                "Failed to build",
                "Because ",
                "  \u00d7 No solution found",
                "parse `",
                "Git operation failed",
            ]
        ),
        max_size=5,
    )
)
def test_whatever_uv_says_there_is_a_sentence(lines):
    message, _ = errors.explain(lines)
    assert message.strip()
    assert len(message) < 1000


@pytest.mark.parametrize(
    ("line", "python", "versions"),
    [
        ("error: No space left on device", False, False),
        ("error: Failed to fetch: `https://h/` ", False, False),
        ("  \u00d7 Failed to build `a==1`", True, True),
        ("six has no wheels with a matching Python ABI tag", True, True),
        ("  \u00d7 No solution found when resolving", False, True),
    ],
)
def test_whether_something_else_may_do(line, python, versions):
    assert errors.another_python_may_help([line]) is python
    assert errors.other_versions_may_help([line]) is versions


def test_old_names_are_put_where_python_loads_them(tmp_path):
    import subprocess
    import sys

    compat_names.put(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{compat_names.NAME}.py",
        f"{compat_names.NAME}.pth",
    }
    code = f"import site, sys; site.addsitedir(sys.argv[1]); print('{compat_names.NAME}' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == ("True", "")
