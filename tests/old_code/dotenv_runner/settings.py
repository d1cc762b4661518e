import os
import re

try:
    from dotenv import load_dotenv
except ImportError:
    load_dotenv = None


def load_env(path):
    if load_dotenv is not None:
        load_dotenv(path)
        return
    with open(path) as f:
        for line in f:
            m = re.match(r"^(\w+)=(.*)$", line.strip())
            if m:
                os.environ.setdefault(m.group(1), m.group(2).strip("'\""))
