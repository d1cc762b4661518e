import os
import mlflow

with mlflow.start_run():
    mlflow.log_param("alpha", 0.03)
    mlflow.set_tag("kind", "ridge")
    for step in range(3):
        mlflow.log_metric("mse", 3 - step, step=step)
    os.makedirs("outputs", exist_ok=True)
    with open("report.txt", "w") as f:
        f.write("fine")
    mlflow.log_artifact("report.txt")
print("done")
