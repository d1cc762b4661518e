import numpy as np
import argparse
import os
import re
import glob

from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument('--data-folder', type=str, dest='data_folder', help='data folder mounting point')
parser.add_argument('--resume-from', type=str, default=None,
                    help='location of the model or checkpoint files from where to resume the training')
args = parser.parse_args()
previous_model_location = args.resume_from
print('resume', previous_model_location)
X = np.loadtxt(glob.glob(os.path.join(args.data_folder, '**/train-images.csv'), recursive=True)[0], delimiter=',')
y = np.loadtxt(glob.glob(os.path.join(args.data_folder, '**/train-labels.csv'), recursive=True)[0])
w = np.zeros(X.shape[1])
start_epoch = 0
if previous_model_location:
    checkpoint_file_path = os.path.join(previous_model_location, 'mnist.npz')
    saved = np.load(checkpoint_file_path)
    w, start_epoch = saved['w'], int(saved['epoch'])
    print('restored from epoch', start_epoch)
run = Run.get_context()
os.makedirs('./outputs', exist_ok=True)
for epoch in range(start_epoch, start_epoch + 3):
    w -= .1 * X.T.dot(X.dot(w) - y) / len(y)
    run.log('training_acc', np.float(1 - np.abs(X.dot(w) - y).mean()))
    run.log('validation_acc', np.float(1 - np.abs(X.dot(w) - y).max()))
    print(epoch, '-- Training accuracy:')
np.savez('./outputs/mnist.npz', w=w, epoch=epoch + 1)
run.log('final_epoch', epoch + 1)
