import argparse, os
from azureml.core import Run
p = argparse.ArgumentParser(); p.add_argument("--x", type=int); a = p.parse_args()
Run.get_context().log("y", a.x ** 2); Run.get_context().log("g", os.environ["GREETING"])
