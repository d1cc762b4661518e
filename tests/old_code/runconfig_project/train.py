import argparse, os
import six
from azureml.core import Run
p = argparse.ArgumentParser()
p.add_argument("--version"); p.add_argument("--code"); p.add_argument("--flag")
a = p.parse_args()
run = Run.get_context()
print("got", a.version, a.code, a.flag, os.environ["RELEASE"], os.environ["EXAMPLE_ENV_VAR"])
run.log("version", a.version)
