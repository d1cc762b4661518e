"""Selection steps on a list of files, as JSON values: skip, take, sample, part of a split."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator

from scriptrun.data.datasets.manifest import ManifestRow
from scriptrun.data.errors import DatasetValidationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scriptrun.runtime.hints import Json


def skip(count: int) -> Json:
    """All but the first ``count``."""
    return {"skip": _check_count(count)}


def take(count: int) -> Json:
    """The first ``count``."""
    return {"take": _check_count(count)}


def part(low: float, high: float, seed: int) -> Json:
    """The files whose paths, hashed with ``seed``, fall between two fractions."""
    return {"part": [low, high], "seed": seed}


def apply(rows: Iterable[ManifestRow], steps: list[Json]) -> Iterator[ManifestRow]:
    """The rows that remain after all steps, in their order."""
    selected = iter(rows)
    for step in steps:
        if "skip" in step:
            selected = itertools.islice(selected, step["skip"], None)
        elif "take" in step:
            selected = itertools.islice(selected, step["take"])
        elif "part" in step:
            low, high = step["part"]
            selected = _select_part(selected, low, high, step["seed"])
    return selected


def _select_part(
    rows: Iterator[ManifestRow], low: float, high: float, seed: int
) -> Iterator[ManifestRow]:
    key = str(seed).encode("ascii")
    for row in rows:
        if low <= path_share(row.path, key) < high:
            yield row


def path_share(path: str, key: bytes) -> float:
    """A number from 0 up to 1 that depends only on ``path`` and ``key``."""
    data = path.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(data, digest_size=8, key=key[:64]).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def fraction(value: float, name: str) -> float:
    """Return ``value`` if it is between 0 and 1; raise DatasetValidationError otherwise."""
    if not 0 <= value <= 1:
        raise DatasetValidationError(f"{name} must be a number from 0 to 1, not {value!r}.")
    return float(value)


def _check_count(count: int) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise DatasetValidationError(f"The count must be a whole number from 0, not {count!r}.")
    return count
