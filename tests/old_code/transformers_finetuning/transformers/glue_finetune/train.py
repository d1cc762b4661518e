import dataclasses, json, os, sys
import numpy as np
from tqdm import tqdm
from azureml.core import Run


class AzureMLCallback:
    """Logs as the callback of the library does."""
    def __init__(self, azureml_run=None):
        self.azureml_run = azureml_run

    def on_init_end(self):
        if self.azureml_run is None:
            self.azureml_run = Run.get_context()

    def on_log(self, logs):
        if self.azureml_run is not None:
            for k, v in logs.items():
                if isinstance(v, (int, float)):
                    self.azureml_run.log(k, v, description=k)


def parse(argv):
    it = iter(argv)
    return {k.lstrip("-"): v for k, v in zip(it, it)}


if __name__ == "__main__":
    args = parse(sys.argv[1:])
    cb = AzureMLCallback(); cb.on_init_end()
    for epoch in tqdm(range(int(args["num_train_epochs"])), desc="epochs"):
        cb.on_log({"train_loss": 1 / (1 + epoch), "learning_rate": float(args["learning_rate"]), "epoch": epoch, "note": "x"})
    cb.on_log({"eval_accuracy": float(np.float32(0.5)) + float(args["learning_rate"]) * 1000})
    os.makedirs(args["output_dir"], exist_ok=True)
    json.dump(args, open(os.path.join(args["output_dir"], "args.json"), "w"))
