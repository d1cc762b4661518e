"""Does a page's steps in the current directory, in one interpreter; its order is JSON on stdin."""

import json
import os
import subprocess
import sys
import tomllib
import traceback

import page_blocks


def run_python(step, page, names):
    # blank lines before the code give tracebacks the page's own line numbers
    code = compile("\n" * (step["line"] - 1) + step["text"], page, "exec")
    try:
        exec(code, names)
    except BaseException as problem:
        if "fails" not in step["marks"]:
            traceback.print_exc()
            return "raised"
        wanted = step["marks"]["fails"]
        return "" if wanted in f"{type(problem).__name__}: {problem}" else f"raised {problem!r}"
    return "did not fail" if "fails" in step["marks"] else ""


def run_shell(step, text, shown=None):
    sys.stdout.flush()
    done = subprocess.run(
        ["sh", "-e", "-c", text],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(f"$ {text}\n{done.stdout}")
    wanted = int(step["marks"].get("fails") or 0)
    if done.returncode != wanted:
        return f"`{text}` ended with {done.returncode}, not {wanted}"
    if shown is not None and not page_blocks.matches(shown, done.stdout):
        return f"`{text}` wrote something else than the page shows"
    return ""


def run_console(step):
    compare = "compare" in step["marks"]
    commands = page_blocks.commands_of(step["text"])
    for number, (command, shown) in enumerate(commands, 1):
        only_last_fails = {**step, "marks": step["marks"] if number == len(commands) else {}}
        problem = run_shell(only_last_fails, command, shown if compare else None)
        if problem:
            return problem
    return ""


def install():
    """Let Python find the directory's package and its entry points, as if it were installed."""
    with open("pyproject.toml", "rb") as handle:
        project = tomllib.load(handle)["project"]
    info = f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    os.mkdir(info)
    with open(f"{info}/entry_points.txt", "w", encoding="utf-8") as handle:
        for group, entries in project.get("entry-points", {}).items():
            lines = [f"{name} = {value}" for name, value in entries.items()]
            print(f"[{group}]", *lines, sep="\n", file=handle)
    sys.path.insert(0, os.getcwd())
    os.environ["PYTHONPATH"] = os.getcwd()
    return ""


def main():
    order = json.load(sys.stdin)
    names = {"__name__": "__main__"}
    for step in order["steps"]:
        if step["kind"] == "file":
            with open(step["marks"]["file"], "w", encoding="utf-8") as handle:
                handle.write(step["text"])
            continue
        if step["kind"] == "python":
            problem = run_python(step, order["page"], names)
        elif "installs" in step["marks"]:
            problem = install()
        elif step["kind"] == "sh":
            problem = run_shell(step, step["text"])
        else:
            problem = run_console(step)
        if problem:
            sys.exit(f"{order['page']}:{step['line']}: {problem}")


if __name__ == "__main__":
    main()
