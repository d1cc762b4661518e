import argparse, os
from azureml.core import Run
p = argparse.ArgumentParser()
p.add_argument("--data-folder", type=str, dest="data_folder"); p.add_argument("--one", type=str)
a = p.parse_args()
run = Run.get_context()
names = sorted(os.listdir(a.data_folder))
print(names, open(a.one).read().strip() if os.path.isfile(a.one) else os.listdir(a.one))
run.log("files", len(names))
