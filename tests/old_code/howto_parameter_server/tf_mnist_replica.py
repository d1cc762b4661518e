import json, os, sys, time, argparse
from azureml.core.run import Run
p = argparse.ArgumentParser()
p.add_argument('--num_gpus', type=int, default=0)
p.add_argument('--train_steps', type=int, default=200)
FLAGS, _ = p.parse_known_args()
tf_config = os.environ.get('TF_CONFIG')
print(tf_config)
conf = json.loads(tf_config)
job, index = conf['task']['type'], conf['task']['index']
print('job', job, index, len(conf['cluster']['worker']))
if job == 'ps':
    time.sleep(600)   # server.join()
run = Run.get_context()
if index == 0:
    for step in range(FLAGS.train_steps):
        run.log('validation cross entropy', 1.0 / (step + 1))
