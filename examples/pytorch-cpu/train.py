"""Trains a small PyTorch network on made data: two interleaved half moons."""

import argparse
import os

import torch

from scriptrun import Run

parser = argparse.ArgumentParser()
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--epochs", type=int, default=150)
arguments = parser.parse_args()

torch.manual_seed(0)
angle = torch.rand(1000) * torch.pi
label = torch.randint(0, 2, (1000,)).float()
x = torch.cos(angle) * (1 - 2 * label) + label
y = torch.sin(angle) * (1 - 2 * label) + label / 2
points = torch.stack([x, y], 1) + 0.1 * torch.randn(1000, 2)

model = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=arguments.learning_rate)
loss_of = torch.nn.BCEWithLogitsLoss()

run = Run.get_context()
for epoch in range(1, arguments.epochs + 1):
    optimizer.zero_grad()
    answers = model(points).squeeze(1)
    loss = loss_of(answers, label)
    loss.backward()
    optimizer.step()
    accuracy = ((answers > 0) == (label > 0)).float().mean().item()
    if epoch % 10 == 0:
        run.log("loss", loss.item(), step=epoch)
        run.log("accuracy", accuracy, step=epoch)
        print(f"epoch {epoch:3}  loss {loss.item():.3f}  accuracy {accuracy:.3f}")

os.makedirs("outputs", exist_ok=True)
torch.save(model.state_dict(), "outputs/model.pt")
