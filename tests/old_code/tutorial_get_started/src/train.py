# src/train.py
import argparse
import os

import numpy as np
from azureml.core import Run
from model import Net

# ADDITIONAL CODE: get AML run from the current context
run = Run.get_context()

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument('--data_path', type=str, help='Path to the training data')
    parser.add_argument('--learning_rate', type=float, default=0.001, help='Learning rate for SGD')
    parser.add_argument('--momentum', type=float, default=0.9, help='Momentum for SGD')
    args = parser.parse_args()

    print("===== DATA =====")
    print("DATA PATH: " + args.data_path)
    print("LIST FILES IN DATA PATH...")
    print(os.listdir(args.data_path))
    print("================")

    data = np.loadtxt(os.path.join(args.data_path, 'train.csv'), delimiter=',')
    net = Net()
    for epoch in range(2):
        running_loss = 0.0
        for i, row in enumerate(data):
            err = net(row[:3]) - row[3]
            net.w -= args.learning_rate * 2 * err * row[:3]
            running_loss += err ** 2
            if i % 5 == 4:
                loss = running_loss / 5
                run.log('loss', loss)
                print(f'epoch={epoch + 1}, batch={i + 1:5}: loss {loss:.2f}')
                running_loss = 0.0
    print('Finished Training')
