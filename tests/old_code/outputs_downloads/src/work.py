import os
from azureml.core.run import Run
run = Run.get_context()
os.makedirs("outputs/checkpoints/epoch_1", exist_ok=True)
for n in (1, 2):
    open("outputs/checkpoints/epoch_1/part{}.bin".format(n), "wb").write(b"x" * n)
os.makedirs("plots", exist_ok=True)
open("plots/loss.svg", "w").write("<svg/>")
run.upload_folder(name="plots", path="./plots")
run.upload_file("extra/notes.txt", "notes.txt")
run.upload_files(names=["a.txt", "b/c.txt"], paths=["notes.txt", "notes.txt"])
os.makedirs("outputs/final", exist_ok=True)
open("outputs/final/saved_model.pb", "w").write("pb")
run.upload_folder("early", "outputs/final")
run.register_model("early-model", model_path="early", tags={"when": "in the job"})
