import argparse
import os
import sys
from azureml.core import Run

class Trainer:
    def __init__(self, run, epochs, lr, layers, data):
        self.run, self.epochs, self.lr, self.layers, self.data = run, epochs, lr, layers, data

    def fit(self):
        for epoch in range(self.epochs):
            loss = 1.0 / (epoch + 1)
            self.run.log_row('history', epoch=epoch, loss=loss)
            self.run.log('loss', loss)

    def save(self, folder='outputs/model'):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, 'weights.txt'), 'w') as f:
            f.write(' '.join(map(str, self.layers)))

def parse(argv=None):
    p = argparse.ArgumentParser()
    p.add_argument('--epochs', type=int)
    p.add_argument('--lr', type=float)
    p.add_argument('--layers', nargs='+', type=int)
    p.add_argument('--data')
    return p.parse_args(argv)

if __name__ == '__main__':
    args = parse()
    run = Run.get_context()
    run.set_tags({'stage': os.environ['STAGE'], 'threads': os.environ['THREADS']})
    run.log('files', sum(len(names) for _, _, names in os.walk(args.data)))
    trainer = Trainer(run, args.epochs, args.lr, args.layers, args.data)
    trainer.fit()
    trainer.save()
