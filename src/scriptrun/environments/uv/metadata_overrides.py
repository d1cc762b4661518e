"""The requirements of old releases whose own metadata is invalid (``pytz (>=2011k)``) or empty.

See https://docs.astral.sh/uv/reference/settings/#dependency-metadata.
"""

from __future__ import annotations

import json

#: by package: versions, and their requirements
_REQUIREMENTS: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "pandas": [
        ("0.20.0 0.20.1 0.20.2 0.20.3", ("python-dateutil>=2", "pytz>=2011", "numpy>=1.7.0")),
        ("0.21.0 0.21.1 0.22.0", ("python-dateutil>=2", "pytz>=2011", "numpy>=1.9.0")),
        (
            "0.23.0 0.23.1 0.23.2 0.23.3 0.23.4",
            ("python-dateutil>=2.5.0", "pytz>=2011", "numpy>=1.9.0"),
        ),
        ("0.24.0 0.24.1 0.24.2", ("python-dateutil>=2.5.0", "pytz>=2011", "numpy>=1.12.0")),
    ],
    "scikit-learn": [
        ("0.18 0.18.1 0.18.2 0.19.0 0.19.1 0.19.2", ("numpy>=1.8.2", "scipy>=0.13.3")),
    ],
}


def settings() -> str:
    """The lines of ``uv.toml`` that state these requirements."""
    return "".join(
        f"[[dependency-metadata]]\nname = {json.dumps(name)}\nversion = {json.dumps(version)}\n"
        f"requires-dist = {json.dumps(requirements)}\n"
        for name, entries in _REQUIREMENTS.items()
        for versions, requirements in entries
        for version in versions.split()
    )
