"""Arguments as parameters."""

from __future__ import annotations

import shlex

import pytest

from scriptrun.spec.job import JobSpec
from scriptrun.tracking import parameters


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", {}),
        ("--lr 0.1", {"lr": "0.1"}),
        ("--lr=0.1", {"lr": "0.1"}),
        ("-lr 0.1", {"lr": "0.1"}),
        ("-b 32", {"b": "32"}),
        ("-b32", {"b": "32"}),
        ("lr=0.1 +opt.beta=2 ++a/b=c", {"lr": "0.1", "opt.beta": "2", "a/b": "c"}),
        ("--shift -0.5", {"shift": "-0.5"}),
        ("--fast --deep", {"fast": "true", "deep": "true"}),
        ("--fast -b 3", {"fast": "true", "b": "3"}),
        ("--fast lr=1", {"fast": "true", "lr": "1"}),
        ("--learning-rate 1", {"learning_rate": "1"}),
        ("--layers 64 32 data.csv", {"layers": "64 32"}),
        ("--lr 0.1 data.csv", {"lr": "0.1"}),
        ("--name 'two words' x", {"name": "two words"}),
        ("--a 1 --a 2", {"a": "2"}),
        ("--empty=", {"empty": ""}),
        ("--a -- --b 2", {"a": "true", "b": "2"}),
        ("data.csv https://host/x?a=b 5", {}),
        ("--größe 3", {"größe": "3"}),
        ("--", {}),
        ("-", {}),
        ("-5", {}),
        ("--password hunter2 --user me", {"password": "***", "user": "me"}),
        ("--api-key=abc hf.token=xyz", {"api_key": "***", "hf.token": "***"}),
        ("--max-tokens 5 --pad_token x --author me", {"max_tokens": "5", "pad_token": "x", "author": "me"}),
        ("--token c2VjcmV0== --lr 1", {"token": "***", "lr": "1"}),
        ("--auth me c2VjcmV0== -1 x=y --lr 1", {"auth": "***", "lr": "1"}),
        ("--url https://me:pw@host/x", {"url": "https://***@host/x"}),
    ],
)  # fmt: skip
def test_arguments(line, found):
    assert parameters.of_arguments(shlex.split(line)) == found


def test_a_command_is_split_as_a_shell_does():
    job = JobSpec("a", "e", "w", "now", command="python train.py --name 'a b' lr=1")
    assert parameters.of_job(job) == {"name": "a b", "lr": "1"}
    broken = JobSpec("a", "e", "w", "now", command="python train.py --lr 0.1 'x")
    assert parameters.of_job(broken)["lr"] == "0.1"


def test_long_values_are_cut():
    (value,) = parameters.of_arguments(["--x", "y" * 10_000]).values()
    assert len(value) == parameters.MAX_LENGTH


def test_arguments_are_shown_without_secrets():
    words = ["--lr", "1", "api_key=x", "--token", "abc", "--password", "--url=https://a:b@c/"]
    assert parameters.shown_arguments(words) == (
        "--lr 1 api_key=*** --token *** --password --url=https://***@c/"
    )

    assert parameters.quoted_arguments([*words[:5], "--x", "a b", "", "it's", "*"]) == (
        "--lr 1 api_key=*** --token *** --x 'a b' '' 'it'\"'\"'s' '*'"
    )


@pytest.mark.parametrize("secret", ["c2VjcmV0==", "c2VjcmV0=", "-", "-1", "a b", "x=y", "+x=y"])
def test_all_words_after_a_secret_option_are_masked(secret):
    for words in (["--token", secret], ["--auth", "me", secret, "--lr", "1"], ["-auth", secret]):
        shown = parameters.shown_arguments(words).split()
        assert shown == ["***" if word in (secret, "me") else word for word in words]
        assert parameters.of_arguments(words).keys() <= {"token", "auth", "lr"}


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("a  --n 1 'x y'|b", "a  --n 1 'x y'|b"),
        ("a --token x --n 'c d' && b ''", "a --token *** --n 'c d' && b ''"),
        ("(API_KEY=x b)|c", "( API_KEY=*** b )| c"),
        ("`TOKEN='x y' b`", "` TOKEN=*** b `"),
        ("a --password 'x y", "a --password *** ***"),
        ("a 'https://me:x@h/?b=c&token=y'", "a 'https://***@h/?b=c&token=***'"),
    ],
)
def test_a_shell_line_is_shown_without_secrets(line, shown):
    assert parameters.masked_command(line) == shown


def test_parameters_that_mlflow_logged(tmp_path):
    folder = tmp_path / "mlflow" / "0" / "abc" / "params"
    (folder / "opt").mkdir(parents=True)
    (folder / "depth").write_text("3")
    (folder / "opt" / "lr").write_text("1e-3")
    (folder / "loop").symlink_to("loop")
    assert parameters.of_mlflow(tmp_path) == {"depth": "3", "loop": "", "opt/lr": "1e-3"}
    assert parameters.of_mlflow(tmp_path / "nothing") == {}
