import sys
from azureml.core import Run
run = Run.get_context()
run.log("before", 1)
try:
    raise ValueError("bad rows: 17")
except ValueError as e:
    run.tag("error", str(e))
    raise
