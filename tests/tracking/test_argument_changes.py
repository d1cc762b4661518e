"""Changed arguments: what a script's parser sees, and that all else stays as it was."""

from __future__ import annotations

import argparse
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptrun.spec.errors import UserErrorException
from scriptrun.tracking import argument_changes as changes
from scriptrun.tracking import parameters


def changed(words, given_words):
    return changes.texts_of(words, changes.apply(words, changes.change(words, given_words)))


@pytest.mark.parametrize(
    ("line", "given_line", "expected"),
    [
        ("--alpha 0.3 --b 2", "--alpha 0.9", "--alpha 0.9 --b 2"),
        ("--alpha=0.3 --b 2", "--alpha 0.9", "--alpha=0.9 --b 2"),
        ("--alpha 0.3 --b 2", "--alpha=0.9", "--alpha 0.9 --b 2"),
        ("-a 0.3 x", "-a 0.9", "-a 0.9 x"),
        ("-a0.3 x", "-a 0.9", "-a0.9 x"),
        ("-b32", "-b auto", "-b auto"),
        ("-b32", "-b -1", "-b -1"),
        ("--model=a.b", "model=c", "--model=c"),
        ("alpha=0.3 b=2", "alpha=0.9", "alpha=0.9 b=2"),
        ("alpha=0.3 b=2", "--alpha 0.9", "alpha=0.9 b=2"),
        ("--alpha 0.3", "alpha=0.9", "--alpha 0.9"),
        ("+opt.lr=1 x=2", "++opt.lr=3", "++opt.lr=3 x=2"),
        ("", "--seed 2", "--seed 2"),
        ("in.csv --fast", "--seed 2", "in.csv --fast --seed 2"),
        ("--a 1 -- --b 2", "--seed 2", "--a 1 --seed 2 -- --b 2"),
        ("--a 1 -- --b 2", "--b 3", "--a 1 -- --b 3"),
        ("--batch-size 32", "--batch_size 64", "--batch-size 64"),
        ("--alpha 0.3 data.csv", "--alpha 0.9", "--alpha 0.9 data.csv"),
        ("--shift -0.5 x", "--shift -0.7", "--shift -0.7 x"),
        ("--shift 1", "--shift=-x", "--shift=-x"),
        ("--define a", "--define=k=v", "--define=k=v"),
        ("--layers 64 32 --b 1", "--layers 16", "--layers 16 --b 1"),
        ("--layers 64 --b 1", "--layers 16 8 4", "--layers 16 8 4 --b 1"),
        ("--names a b --b 1", "--names x y", "--names x y --b 1"),
        ("--names=a", "--names x y", "--names x y"),
        ("--a 1 --x 1 --a 2", "--a 3", "--a 3 --x 1"),
        ("--a 1 --x 1", "--a 3 --a 4", "--a 3 --a 4 --x 1"),
        ("data.csv --fast", "--fast", "data.csv --fast"),
        ("--x 1", "--fast", "--x 1 --fast"),
        ("--fast --x 1", "--no-fast", "--no-fast --x 1"),
        ("--no-fast --x 1", "--fast", "--fast --x 1"),
        ("--fast data.csv", "--no-fast", "--fast data.csv --no-fast"),
        ("--no-fast --fast", "--no-fast", "--no-fast --no-fast"),
        ("--level=3", "--level", "--level"),
        ("--set a=1 --set b=2", "--set a=3", "--set a=3 --set b=2"),
        ("--set a=1", "--set c=3", "--set a=1 --set c=3"),
        ("--name 'two words'", "--name 'three more words'", "--name 'three more words'"),
        ("--in -", "--in x", "--in x"),
        ("--filter x --a 1", "--filter k=v", "--filter=k=v --a 1"),
        ("--filter=x k=1", "--filter k=v", "--filter=k=v k=1"),
        ("-f x --a 1", "--a 2 -f k=v", "-f k=v --a 2"),
        ("--filter x a=1", "--filter k=v a=2", "--filter=k=v a=2"),
        ("--token old x.csv --a 1", "--token c2Vj==", "--token c2Vj== x.csv --a 1"),
        ("--token c2Vj== --a 1", "--token new", "--token new --a 1"),
        ("--a 1", "--token c2Vj==", "--a 1 --token c2Vj=="),
        ("--empty=", "--empty ''", "--empty="),
    ],
)
def test_a_change(line, given_line, expected):
    words, given_words = shlex.split(line), shlex.split(given_line)
    result = changed(words, given_words)
    assert result == shlex.split(expected)
    assert changed(result, given_words) == result


@pytest.mark.parametrize(
    ("line", "given_line", "message"),
    [
        ("--a 1", "5", "'5' has no name"),
        ("--a 0.1 --b 2", "--a", "--a has no value; the run has --a 0.1"),
        ("--b 2 -a 1 2", "--b 3 -a", "-a has no value; the run has -a 1 2"),
        ("--token x", "--token", r"the run has --token \*\*\*"),
        ("--a 1", "--", "'--' has no name"),
        ("--a 1", "a=1 5", "'5' has no name"),
        ("a=1", "--a 1 2", "only get a single value"),
        ("--names a b c", "--names x y", "'--names a b c' are values of --names"),
    ],
)
def test_what_cannot_be_told_is_refused(line, given_line, message):
    with pytest.raises(UserErrorException, match=message) as error:
        changed(shlex.split(line), shlex.split(given_line))
    assert "--replace-args" in error.value.hint


def test_removal():
    words = shlex.split("--a 1 in.csv --b=2 c=3 --layers 1 2 --fast")

    def removed(*names):
        return changes.texts_of(words, changes.apply(words, changes.remove(words, names)))

    assert removed("a", "--layers") == shlex.split("in.csv --b=2 c=3 --fast")
    assert removed("b", "c", "fast") == shlex.split("--a 1 in.csv --layers 1 2")
    with pytest.raises(UserErrorException, match="no argument 'layer'") as error:
        removed("layer")
    assert "Did you mean 'layers'?" in error.value.hint


@pytest.mark.parametrize(
    ("line", "given_line", "expected"),
    [
        ("python  train.py --alpha 0.3", "--alpha 0.9", "python train.py --alpha 0.9"),
        ("python train.py --name 'a b' --n 1", "--n 2", "python train.py --name 'a b' --n 2"),
        ("python train.py --d $DIR/x --n 1", "--n 'a b'", "python train.py --d $DIR/x --n 'a b'"),
        ("python train.py", "--seed 2", "python train.py --seed 2"),
        (
            "launch --n 2 -- a.py --lr 1",
            "--seed 2 --fast",
            "launch --n 2 -- a.py --lr 1 --seed 2 --fast",
        ),
        ('torchrun train.py "--n=1"', "--n 2", "torchrun train.py --n=2"),
    ],
)
def test_a_command(line, given_line, expected):
    result, _ = changes.change_command(line, shlex.split(given_line))
    assert result == expected


@pytest.mark.parametrize(
    "line", ["a && b --n 1", "a | b", "a > b", "a $(b)", "a; b", "a\nb", "a '"]
)
def test_a_command_of_several_is_refused(line):
    with pytest.raises(UserErrorException, match="shell line"):
        changes.change_command(line, ["--n", "2"])


@pytest.mark.parametrize(
    "line",
    [
        "a --token secret && b",
        "a --token=secret|b",
        "API_KEY=secret;b",
        "(API_KEY=secret b)",
        "a --url 'https://me:secret@h/' > b",
        "a --token 'b secret",
        "a\nexport API_KEY='b secret'; c",
    ],
)
def test_the_error_about_a_command_of_several_shows_no_secret(line):
    with pytest.raises(UserErrorException, match="shell line") as error:
        changes.change_command(line, ["--n", "2"])
    assert "secret" not in str(error.value)


def test_the_words_of_a_change():
    words = shlex.split("--a 1 --token x --old 2")
    edits = changes.change(words, shlex.split("--a 1 --token y --new 3"))
    texts = [str(each) for each in changes.named_changes(words, edits)]
    assert texts == ["--token *** -> --token ***", "added --new 3"]
    assert [str(each) for each in changes.named_changes(words, changes.remove(words, ["old"]))] == [
        "removed --old 2"
    ]


def script_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="?")
    parser.add_argument("--alpha", type=float)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--model")
    parser.add_argument("--layers", type=int, nargs="+")
    parser.add_argument("--fast", action=argparse.BooleanOptionalAction)
    parser.add_argument("--deep", action="store_true")
    return parser


number = st.integers(-99, 99)
real = st.floats(-10, 10, allow_nan=False).map(lambda value: round(value, 3))
text = st.text("abcxyz._/ ", min_size=1).filter(lambda value: not value.isspace())
OPTIONS = {
    "alpha": real.flatmap(lambda v: st.sampled_from([["--alpha", str(v)], [f"--alpha={v}"]])),
    "batch_size": number.flatmap(
        lambda v: st.sampled_from([["--batch-size", str(v)], [f"--batch-size={v}"]])
    ),
    "model": text.flatmap(lambda v: st.sampled_from([["--model", v], [f"--model={v}"]])),
    "layers": st.lists(number, min_size=1, max_size=3).map(lambda v: ["--layers", *map(str, v)]),
    "fast": st.sampled_from([["--fast"], ["--no-fast"]]),
    "deep": st.just(["--deep"]),
}


@st.composite
def option_words(draw, most):
    names = draw(st.lists(st.sampled_from(sorted(OPTIONS)), unique=True, max_size=most))
    return {name: draw(OPTIONS[name]) for name in names}


@given(option_words(6), option_words(4), st.booleans())
def test_a_parser_sees_the_new_values_and_all_the_old_ones(original, new, has_data):
    words = [*(["data.csv"] if has_data else []), *(w for each in original.values() for w in each)]
    given_words = [word for each in new.values() for word in each]
    result = changed(words, given_words)
    seen, before, asked = (
        vars(script_parser().parse_args(each)) for each in (result, words, given_words)
    )
    assert seen == {name: asked[name] if name in new else before[name] for name in seen}
    assert changed(result, given_words) == result
    both = [name for name in original if name in new]
    back = changed(result, [word for name in both for word in original[name]])
    seen_again = vars(script_parser().parse_args(back))
    assert {name: seen_again[name] for name in both} == {name: before[name] for name in both}


@given(st.lists(st.text(max_size=6), max_size=8), option_words(4))
def test_words_of_other_arguments_stay_in_place(words, new):
    given_words = [word for each in new.values() for word in each]
    names = {argument.name for argument in changes.parse_given(given_words)}
    names |= {f"no_{name}" for name in names} | {name.removeprefix("no_") for name in names}
    try:
        edits = changes.change(words, given_words)
    except UserErrorException:
        return
    touched = [number for edit in edits for number in range(edit.start, edit.end)]
    kept = [word for word in changes.apply(words, edits) if isinstance(word, int)]
    assert kept == sorted(kept)
    assert not (set(range(len(words))) - set(touched) - set(kept))
    for argument in parameters.parse(words):
        if argument.name not in names:
            assert argument.start in kept
