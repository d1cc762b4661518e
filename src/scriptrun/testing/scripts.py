"""Scripts that the shipped suites submit as jobs."""

#: in a script: append a line to a file in one write, so that several may do so at once
MARK = """
import os, sys
def mark(path, text):
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(handle, (text + "\\n").encode())
    os.close(handle)
"""
SEEN = """
import json, os, sys
value = {"arguments": sys.argv[1:], "variable": os.environ.get("ODD")}
with open("outputs/seen.json", "w", encoding="utf-8") as handle:
    json.dump(value, handle)
"""
#: waits for the file that is its first argument, then says what its second is
GATED = """
import os, select, sys, time
print("began", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
print("continued")
"""
DEAF = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"
subprocess.Popen([sys.executable, "-c", code, sys.argv[1]])
if os.fork() == 0:  # a grandchild that has left its parents, its group and its session
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", code, sys.argv[1]])
    os._exit(0)
print("began", flush=True)
time.sleep(3600)
"""
SAVES = """
import signal, sys, time
def save(*_):
    open("outputs/saved.txt", "w").write("saved")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("began", flush=True)
time.sleep(3600)
"""
COUNTS = MARK + "mark(sys.argv[1], 'once')\n"
#: copies the files of its first argument, a folder, into its second
COPIES = """
import os, shutil, sys
for name in os.listdir(sys.argv[1]):
    shutil.copy(os.path.join(sys.argv[1], name), sys.argv[2])
"""
