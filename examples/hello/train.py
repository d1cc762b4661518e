"""The smallest job: says hello, counts, and leaves a file."""

import argparse
import os

from scriptrun import Run

parser = argparse.ArgumentParser()
parser.add_argument("--count", type=int, default=3)
arguments = parser.parse_args()

run = Run.get_context()
print(os.environ.get("MESSAGE", "Hello"), "from run", run.id, flush=True)

for number in range(1, arguments.count + 1):
    run.log("square", number * number)

os.makedirs("outputs", exist_ok=True)
with open("outputs/hello.txt", "w") as handle:
    handle.write(f"counted to {arguments.count}\n")
