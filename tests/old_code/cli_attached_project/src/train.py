import argparse, glob, os
import six
from azureml.core import Run
p = argparse.ArgumentParser(); p.add_argument("--lr", type=float, default=0.1); p.add_argument("--epochs", type=int, default=1); a = p.parse_args()
run = Run.get_context()
folder = os.environ["AZUREML_DATAREFERENCE_training"]
names = glob.glob(os.path.join(folder, "*"))
run.log("lr", a.lr); run.log("files", len(names)); run.log("six", six.__version__)
for e in range(a.epochs):
    run.log("loss", a.lr / (e + 1))
run.tag("build", os.environ["BUILD"])
os.makedirs("outputs", exist_ok=True)
open("outputs/model.txt", "w").write("m")
