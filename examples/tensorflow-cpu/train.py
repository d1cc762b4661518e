"""Trains a small TensorFlow network on made data: two interleaved half moons."""

import argparse
import os

import numpy as np
import tensorflow as tf

from scriptrun import Run

parser = argparse.ArgumentParser()
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--epochs", type=int, default=15)
arguments = parser.parse_args()

random = np.random.default_rng(0)
tf.random.set_seed(0)
angle = random.uniform(0, np.pi, 1000)
label = random.integers(0, 2, 1000)
x = np.cos(angle) * (1 - 2 * label) + label
y = np.sin(angle) * (1 - 2 * label) + label / 2
points = np.stack([x, y], 1) + 0.1 * random.normal(size=(1000, 2))

model = tf.keras.Sequential(
    [tf.keras.Input((2,)), tf.keras.layers.Dense(32, "relu"), tf.keras.layers.Dense(1, "sigmoid")]
)
model.compile(
    tf.keras.optimizers.Adam(arguments.learning_rate), "binary_crossentropy", metrics=["accuracy"]
)

run = Run.get_context()


class Record(tf.keras.callbacks.Callback):
    """Logs what Keras measures at the end of each epoch."""

    def on_epoch_end(self, epoch, logs=None):
        """Log loss and accuracy with the epoch as the step."""
        for name, value in (logs or {}).items():
            run.log(name, float(value), step=epoch)


model.fit(points, label, epochs=arguments.epochs, verbose=2, callbacks=[Record()])
os.makedirs("outputs", exist_ok=True)
model.save("outputs/model.keras")
