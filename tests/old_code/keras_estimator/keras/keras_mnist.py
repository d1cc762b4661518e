import argparse, json, os
from azureml.core import Run

class LogRunMetrics(object):
    """Stands where the keras callback stood: logs after each epoch."""
    def on_epoch_end(self, epoch, log):
        run.log("Loss", log["loss"]); run.log("Accuracy", log["accuracy"])

parser = argparse.ArgumentParser()
parser.add_argument("--data-folder", type=str, dest="data_folder", help="data folder mounting point")
parser.add_argument("--batch-size", type=int, dest="batch_size", default=50)
parser.add_argument("--first-layer-neurons", type=int, dest="n_hidden_1", default=100)
parser.add_argument("--learning-rate", type=float, dest="learning_rate", default=0.001)
args = parser.parse_args()
print("training dataset is stored here:", len(os.listdir(args.data_folder)))
run = Run.get_context()
callback = LogRunMetrics()
for epoch in range(3):
    callback.on_epoch_end(epoch, {"loss": 1 - epoch / 4 - args.n_hidden_1 / 1000, "accuracy": epoch / 4 + args.n_hidden_1 / 1000})
run.log("Final test accuracy", .5 + args.n_hidden_1 / 1000)
os.makedirs("./outputs/model", exist_ok=True)
with open("./outputs/model/model.json", "w") as f:
    json.dump(vars(args), f)
