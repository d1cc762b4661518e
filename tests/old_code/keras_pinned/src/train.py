import tensorflow as tf, numpy as np, os
from azureml.core import Run
from tensorflow import keras
run = Run.get_context()
x = np.random.RandomState(0).rand(64, 4).astype("float32"); y = (x.sum(1) > 2).astype(int)
model = keras.Sequential([keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1, activation="sigmoid")])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
class Log(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, log):
        run.log("loss", log["loss"])
model.fit(x, y, epochs=2, callbacks=[Log()], verbose=2)
os.makedirs("outputs", exist_ok=True)
model.save("outputs/model.h5")
print(tf.__version__)
