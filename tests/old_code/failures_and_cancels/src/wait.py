import os, time
from azureml.core import Run
Run.get_context().log("started", True)
while True:
    time.sleep(1)
