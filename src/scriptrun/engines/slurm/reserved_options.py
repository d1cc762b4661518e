"""The options of sbatch that scriptrun itself sets, which neither a target nor a run may change."""

from __future__ import annotations

import shlex

#: each option and what to do instead; "" where there is nothing
_RESERVED = {
    "array": "to start several runs, use scriptrun sweep or Experiment.submit_many",
    "chdir": "",
    "clusters": "",
    "comment": "",
    "cpus-per-task": "use --cpus",
    "error": "",
    "export": "use --env",
    "export-file": "use --env",
    "gid": "",
    "help": "",
    "input": "",
    "job-name": "the job has the run's display name: use --name",
    "no-requeue": "set requeue of the compute target",
    "nodes": "use --nodes",
    "ntasks": "use --processes",
    "ntasks-per-node": "use --processes",
    "open-mode": "",
    "output": "",
    "parsable": "",
    "partition": "use --partition",
    "quiet": "",
    "requeue": "set requeue of the compute target",
    "signal": "set warn of the compute target",
    "test-only": "",
    "time": "use --time",
    "uid": "",
    "usage": "",
    "version": "",
    "wait": "",
    "wrap": "",
}
_SHORT = {
    **{"a": "array", "c": "cpus-per-task", "D": "chdir", "e": "error", "h": "help", "i": "input"},
    **{"J": "job-name", "M": "clusters", "N": "nodes", "n": "ntasks", "o": "output"},
    **{"p": "partition", "Q": "quiet", "t": "time", "V": "version", "W": "wait"},
}
#: short options without a value: sbatch reads the next letter of the word as another option
_FLAGS = "HIkOsvQ"
#: other options whose names are beginnings of reserved ones, or the reverse
_OTHERS = ("wait-all-nodes", "time-min", "gres", "gres-flags", "exclusive", "ntasks-per-core")


def problems(option: str) -> list[str]:
    """Why ``option``, a line for sbatch such as ``--constraint=ib``, is not accepted."""
    if not option.startswith("-") or not option.isprintable():
        return [f"invalid sbatch option {option!r}; use e.g. --exclusive"]
    try:
        words = shlex.split(option)
    except ValueError as error:
        return [f"invalid sbatch option {option!r} ({error})"]
    messages = []
    for word in words:
        name = _reserved_name(word)
        if name:
            instead = _RESERVED[name]
            messages.append(
                f"the sbatch option {word.partition('=')[0]} is set by scriptrun"
                + (f"; {instead}" if instead else "")
            )
    return messages


def _reserved_name(word: str) -> str:
    """The reserved option that sbatch takes ``word`` for; "" if it is another."""
    if not word.startswith("--"):
        return _first_reserved(word[1:]) if word.startswith("-") else ""
    name = word[2:].partition("=")[0]
    if name in _RESERVED or name in _OTHERS:
        return name if name in _RESERVED else ""
    # sbatch accepts any unique beginning of a name
    matches = [each for each in _RESERVED if each.startswith(name)] if len(name) > 1 else []
    return matches[0] if matches else ""


def _first_reserved(letters: str) -> str:
    """The first reserved one of the short options in a word; "" if none is."""
    for letter in letters:
        if letter in _SHORT or letter not in _FLAGS:
            return _SHORT.get(letter, "")
    return ""
