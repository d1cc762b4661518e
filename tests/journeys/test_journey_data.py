"""Data from the command line: a .runconfig with references, what is planned, shown and compared."""

from __future__ import annotations

TRAIN = """
import os, sys
print(sorted(os.listdir(sys.argv[1])))
"""

MAKE = """
from scriptrun import Datastore, RunConfiguration, Workspace

ws = Workspace.from_config()
store = Datastore.register_local(ws, "shared", "shared", overwrite=True)
config = RunConfiguration()
reference = store.path("photos").as_download()
config.data_references = {"photos": reference.to_config()}
config.script, config.arguments = "train.py", ["$AZUREML_DATAREFERENCE_photos"]
import os
os.makedirs(".azureml", exist_ok=True)
config.save(".", "photos")
"""


def test_a_runconfig_with_data_references(user):
    user.writes("train.py", TRAIN)
    user.writes("shared/photos/1.txt", "one")
    user.does("init", "demo")
    user.does("exec", user.writes("make.py", MAKE))
    planned = user.does("run", "--config", "photos", "--plan")
    assert "photos: download of photos of shared" in planned.out
    assert not user.runs()
    user.does("run", "--config", "photos")
    assert "['1.txt']" in user.does("logs").out
    looked = user.does("shell", "--", "sh", "-c", "ls $AZUREML_DATAREFERENCE_photos").out
    assert looked == "1.txt\n"
    shown = user.does("show").out
    assert "photos: linked 1 file, 3 bytes" in shown
    user.writes("shared/photos/2.txt", "two")
    user.does("run", "--config", "photos")
    first, second = (each["id"] for each in user.runs()[:2][::-1])
    told = user.does("diff", first, second).out
    assert "- photos download of photos of shared (1 file, 3 bytes" in told
    assert "+ photos download of photos of shared (2 files, 6 bytes" in told
    user.writes("shared/photos/1.txt", "changed")
    failed = user.types("rerun", first)
    assert failed.code == 1
    assert "'photos/1.txt' in shared has changed" in failed.out + failed.err
