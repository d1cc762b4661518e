"""States, ids, digests, kinds of run, and methods that are not provided."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptrun.spec import absent, digests, ids, run_kinds, states

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


def test_states_end_only_with_the_three_last_of_their_order():
    assert [state for state in states.ORDER if states.is_terminal(state)] == list(states.ORDER[-3:])
    assert sorted(states.TERMINAL) == ["Canceled", "Completed", "Failed"]
    assert len(set(states.ORDER)) == len(states.ORDER)


@pytest.mark.parametrize("word", ["", "completed", "Completed ", "CancelRequested"])
def test_a_word_that_is_no_state_has_not_ended(word):
    assert not states.is_terminal(word)


def test_ids_of_one_experiment_differ_even_when_made_at_once():
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.extend(ids.new_id("train") for _ in range(100)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 400
    assert all(re.fullmatch(r"train_\d{10,}_[0-9a-f]{8}", each) for each in made)


@pytest.mark.parametrize("experiment", ["a_b", "x-1", "my exp", "ä"])
def test_an_id_begins_with_its_experiment_and_can_be_taken_apart(experiment):
    front, seconds, digits = ids.new_id(experiment).rsplit("_", 2)
    assert front == experiment
    assert int(seconds) > 1_600_000_000
    assert int(digits, 16) >= 0


def test_times_are_sortable_texts_in_utc():
    texts = [ids.now() for _ in range(50)]
    assert {len(each) for each in texts} == {len("2024-01-01T00:00:00.000000Z")}
    read = [datetime.datetime.fromisoformat(each) for each in texts]
    assert {each.tzinfo for each in read} == {datetime.UTC}
    assert sorted(texts) == [each.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for each in sorted(read)]


@given(value=JSON_VALUES)
def test_canonical_text_is_json_of_the_same_value(value):
    assert json.loads(digests.canonical(value)) == value


@given(value=st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=5))
def test_the_order_of_keys_makes_no_difference(value):
    turned = dict(reversed(value.items()))
    assert digests.digest_of(turned) == digests.digest_of(value)


@settings(max_examples=60)
@given(one=JSON_VALUES, other=JSON_VALUES)
def test_unequal_texts_have_unequal_digests(one, other):
    same = digests.canonical(one) == digests.canonical(other)
    assert (digests.digest_of(one) == digests.digest_of(other)) is same


def test_digests_are_sha_256_whatever_computes_them():
    for text in ("", "a", "ä\n" * 1000):
        assert (
            digests.sha256(text.encode()).hexdigest() == hashlib.sha256(text.encode()).hexdigest()
        )
    known = hashlib.sha256(b'{"a":[1,"\xc3\xa4"],"b":null}').hexdigest()
    assert digests.digest_of({"b": None, "a": [1, "ä"]}) == known


def test_a_value_with_bytes_that_are_no_text_has_a_digest():
    assert digests.digest_of("\udcff") != digests.digest_of("\udcfe")


@absent.absent("download upload_folder stays", "Use the path instead.")
class Partly:
    def stays(self):
        return "here"


class Child(Partly):
    def download(self):
        return "made by the child"


def test_an_absent_method_says_its_name_and_what_to_do():
    for call in (Partly.download, Partly().download, lambda: Partly().upload_folder(1, x=2)):
        with pytest.raises(NotImplementedError, match=r"^Partly\..*Use the path instead\.$"):
            call()
    assert Partly.download.__name__ == "download"
    assert "Use the path instead." in Partly.download.__doc__


def test_what_a_class_has_itself_stays_and_children_may_add_it():
    assert Partly().stays() == "here"
    assert Child().download() == "made by the child"
    with pytest.raises(NotImplementedError):
        Child().upload_folder()


@pytest.mark.parametrize("kind", run_kinds.RUN_KINDS.values(), ids=lambda kind: kind.name)
def test_all_handlers_of_a_kind_can_be_loaded(kind):
    assert isinstance(run_kinds.handler(kind.run_class), type)
    assert callable(run_kinds.handler(kind.status))
    if kind.ensure_workers:
        assert callable(run_kinds.handler(kind.ensure_workers))
    assert run_kinds.run_kind(kind.name) is kind


@pytest.mark.parametrize("name", ["", "azureml.PipelineRun", "HYPERDRIVE"])
def test_an_unknown_kind_is_a_scripts_run(name):
    assert run_kinds.run_kind(name) is run_kinds.RUN_KINDS[run_kinds.SCRIPT]


@pytest.mark.parametrize(
    ("dotted", "error"),
    [
        ("scriptrun.spec.states:nothing", AttributeError),
        ("scriptrun.no_such:x", ModuleNotFoundError),
        ("scriptrun.spec.states", AttributeError),
    ],
)
def test_a_handler_that_is_not_there_is_an_error_at_once(dotted, error):
    with pytest.raises(error):
        run_kinds.handler(dotted)
