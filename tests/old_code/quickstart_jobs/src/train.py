import argparse
import pandas as pd
from azureml.core import Run
run = Run.get_context()
parser = argparse.ArgumentParser()
parser.add_argument('--data_path', type=str)
parser.add_argument('--learning_rate', type=float, default=0.001)
parser.add_argument('--momentum', type=float, default=0.9)
args = parser.parse_args()
print("===== DATA ====="); print("DATA PATH: " + args.data_path)
run.log_list('momenta', [args.momentum])
for epoch in range(2):
    for i in range(3):
        loss = 1 / (1 + epoch * 3 + i)
        run.log('loss', loss)
        print(f'epoch={epoch + 1}, batch={i + 1:5}: loss {loss:.2f}')
pd.DataFrame({'a': [1]}).to_csv('./outputs/a.csv')
