import os
import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt
import numpy as np
from azureml.core import Run

run = Run.get_context()
fibonacci = [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89]
run.log_list(name='Fibonacci numbers', value=fibonacci)

# a constructed sine wave
sines = {}
sines['angle'] = []
sines['sine'] = []
for i in range(-10, 10):
    angle = i / 2.0
    # log a 2 (or more) values as a metric repeatedly. This generates a 2-variable line plot if you have 2 numerical columns.
    run.log_row(name='Cosine Wave', angle=angle, cos=np.cos(angle))
    sines['angle'].append(angle)
    sines['sine'].append(np.sin(angle))
run.log_table(name='Sine Wave', value=sines)

angle = np.linspace(-3, 3, 50)
plt.plot(angle, np.tanh(angle), label='tanh')
plt.legend(fontsize=12)
plt.title('Hyperbolic Tangent', fontsize=16)
plt.grid(True)
run.log_image(name='Hyperbolic Tangent', plot=plt)

plt.savefig('local.png')
run.log_image(name='From file', path='./local.png', description='saved before')
run.log('string', 'a text')
run.log('bool', True)
run.log('np64', np.float64(.25)); run.log('np32', np.float32(.5)); run.log('int64', np.int64(7))
run.log('last', 1); run.log('last', 2); run.log('last', 3)
run.log_accuracy_table('acc', {"schema_type": "accuracy_table", "schema_version": "1.0.1", "data": {
    "probability_tables": [[[2, 1, 2, 0], [0, 1, 1, 2]]] * 2, "percentile_tables": [[[2, 1, 2, 0], [0, 1, 1, 2]]] * 2,
    "probability_thresholds": [0.52, 0.95], "percentile_thresholds": [0.09, 0.1], "class_labels": ["0", "1"]}})
run.flush()
os.makedirs('logs', exist_ok=True)
open('logs/events.txt', 'w').write('kept\n')
print(run.get_metrics('last'), len(run.get_metrics(recursive=True)))
