import argparse, os
import torch
import torch.nn as nn
import torch.optim as optim
import numpy as np
from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--num_epochs", type=int, default=2)
parser.add_argument("--output_dir", type=str, default="outputs")
args = parser.parse_args()
run = Run.get_context()
torch.manual_seed(0)
x = torch.from_numpy(np.random.RandomState(0).rand(64, 4).astype("float32"))
y = (x.sum(1) > 2).float().unsqueeze(1)
model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
optimizer = optim.SGD(model.parameters(), lr=0.1)
for epoch in range(args.num_epochs):
    loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    run.log("loss", np.float(loss.item()))
os.makedirs(args.output_dir, exist_ok=True)
torch.save(model, os.path.join(args.output_dir, "model.pt"))
