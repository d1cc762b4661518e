"""Values as source: what is evaluated again is the same value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scriptrun.migration.formats import read_job
from scriptrun.migration.formats.as_python import code
from scriptrun.migration.formats.literals import literal

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner) | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner)
    ),
    max_leaves=8,
)  # fmt: skip


@given(PLAIN)
def test_source_makes_the_value_again(value):
    assert repr(eval(literal(value))) == repr(value)


def test_values_that_have_no_literal(tmp_path):
    assert literal([float("nan"), float("-inf")]) == "[float('nan'), float('-inf')]"
    path = tmp_path / "train.runconfig"
    path.write_text("script: train.py\narguments: [--top, .inf, --low, 0.5]\n")
    job = read_job.read(str(path))
    source = code(job.config, "e").text
    compile(source, "made", "exec")
    assert "'--top', '.inf', '--low', 0.5" in source
