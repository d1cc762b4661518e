import csv, os, sys
from azureml.core import Run
run = Run.get_context()
folder = run.input_datasets["prepared"]
rows = list(csv.DictReader(open(os.path.join(folder, "prepared.csv"))))
run.log("rows", len(rows)); run.log("sum", sum(int(r["y"]) for r in rows))
