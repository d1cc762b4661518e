import argparse, json, os, sys
from azureml.core.run import Run

parser = argparse.ArgumentParser(description="CIFAR10 with DDP")
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--backend", default="gloo")
parser.add_argument("--model-dir", default="./outputs")
args = parser.parse_args()

world_size = int(os.environ.get("WORLD_SIZE", os.environ.get("OMPI_COMM_WORLD_SIZE", 1)))
rank = int(os.environ.get("RANK", os.environ.get("OMPI_COMM_WORLD_RANK", 0)))
local_rank = int(os.environ.get("LOCAL_RANK", os.environ.get("OMPI_COMM_WORLD_LOCAL_RANK", 0)))
for name in ("MASTER_ADDR", "MASTER_PORT"):
    if os.environ.get("RANK"):
        assert os.environ[name], name
run = Run.get_context()
print("rank {} of {} local {}".format(rank, world_size, local_rank))
if rank == 0:
    for epoch in range(args.epochs):
        run.log("loss", 1.0 / (epoch + 1))
    run.log("world", world_size)
os.makedirs(args.model_dir, exist_ok=True)
with open(os.path.join(args.model_dir, "cifar_rank{}.json".format(rank)), "w") as f:
    json.dump({"rank": rank, "world": world_size}, f)
