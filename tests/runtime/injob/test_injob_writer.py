"""Writing metrics when things happen: threads, forks, ranks, kills, full disks, ends."""

from __future__ import annotations

import json
import signal

import pytest

from scriptrun.testing.jobs import PATIENCE, until
from scriptrun.tracking import metric_series

HEAD = "import os, sys, threading, time\nfrom scriptrun import Run\nrun = Run.get_context()\n"
#: lets the script wait until what it has logged can be read
WRITTEN = """
def until_written(words, count):
    folder = os.path.join(run.folder, 'metrics')
    for _ in range(6000):
        if os.path.isdir(folder) and count <= sum(
            open(os.path.join(folder, name), 'rb').read().count(words) for name in os.listdir(folder)
        ):
            return
        time.sleep(0.05)
    sys.exit('it is not written')
"""


def lines(job) -> list[dict]:
    """Every line of every file, each of which must be whole."""
    found = []
    for path in sorted((job.folder / "metrics").glob("*.jsonl")):
        data = path.read_bytes()
        assert data.endswith(b"\n")
        found += [json.loads(line) for line in data.splitlines()]
    return found


def test_threads_lose_and_tear_nothing_and_keep_their_order(job, python):
    job.run(
        python,
        HEAD
        + """
def work(number):
    for i in range(3000): run.log('t%d' % number, i)
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for t in threads: t.start()
for t in threads: t.join()
""",
    )
    assert len(lines(job)) == 24000
    assert metric_series.read(job.folder) == {f"t{n}": list(range(3000)) for n in range(8)}


def test_forks_write_files_of_their_own_and_nothing_twice(job, python):
    job.run(
        python,
        HEAD
        + """
run.log('parent', 0)
for child in range(3):
    run.log('before', child)
    pid = os.fork()
    if pid == 0:
        run.log('child', child)
        if child == 0: run.log('child', 10)
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    run.log('after', child)
""",
    )
    found = metric_series.read(job.folder)
    assert found.pop("child") == [0, 10, 1, 2]
    assert found == {"parent": 0, "before": [0, 1, 2], "after": [0, 1, 2]}
    assert len(list((job.folder / "metrics").iterdir())) == 4


def test_a_fork_among_busy_threads(job, python):
    job.run(
        python,
        HEAD
        + """
import warnings; warnings.simplefilter('ignore')  # newer Pythons warn of forks among threads
done = []
def work():
    number = 0
    while not done: run.log('busy', number); number += 1
    run.log('count', number)
thread = threading.Thread(target=work); thread.start()
for child in range(10):
    pid = os.fork()
    if pid == 0:
        run.log('child', child); run.flush(); os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
done.append(1); thread.join()
""",
    )
    found = metric_series.read(job.folder)
    assert sorted(found["child"]) == list(range(10))
    assert found["busy"] == list(range(found["count"]))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_workers_of_multiprocessing(job, python, method):
    job.run(
        python,
        HEAD
        + f"""
import multiprocessing
def work(number): Run.get_context().log('square', number * number); return number
if __name__ == '__main__':
    run.log('parent', 1)
    with multiprocessing.get_context({method!r}).Pool(3) as pool:
        assert sum(pool.map(work, range(30), 1)) == 435
        pool.close(); pool.join()
""",
    )
    found = metric_series.read(job.folder)
    assert sorted(found["square"]) == [n * n for n in range(30)] and found["parent"] == 1


def test_workers_that_are_ended_with_no_warning_lose_none_of_a_few_points(job, python):
    """As a Pool used in a ``with`` ends its workers: by SIGTERM, at once."""
    job.run(
        python,
        HEAD
        + """
import multiprocessing
def work(number): Run.get_context().log('square', number * number); return number
with multiprocessing.get_context('fork').Pool(3) as pool:
    assert sum(pool.map(work, range(9), 1)) == 36
if os.fork() == 0:
    run.log('left', 1); run.log('left', 2); os._exit(0)
os.wait()
""",
    )
    found = metric_series.read(job.folder)
    assert sorted(found["square"]) == [n * n for n in range(9)] and found["left"] == [1, 2]


def test_ranks_write_at_once(job, python):
    code = HEAD + "for i in range(2000): run.log('loss', i, step=i)\n"
    ranks = [job.start(python, code, SCRIPTRUN_RANK=str(rank)) for rank in range(3)]
    for process in ranks:
        assert process.communicate(timeout=PATIENCE)[1] == "" and process.returncode == 0
    series = metric_series.series(job.folder, "loss")
    for rank in range(3):
        mine = [value for value, at in zip(series.values, series.ranks, strict=True) if at == rank]
        assert mine == list(range(2000))
    assert series.times == sorted(series.times)


def test_a_lone_point_can_be_read_while_the_script_does_something_else(job, python):
    process = job.start(python, HEAD + "run.log('alone', 1)\nsys.stdin.read()\ntime.sleep(3600)")
    try:
        until(lambda: metric_series.read(job.folder) == {"alone": 1})
    finally:
        process.kill()
        process.communicate()


def test_a_kill_loses_only_the_last_moment(job, python):
    process = job.start(
        python,
        HEAD
        + WRITTEN
        + """
for i in range(10 ** 9):
    run.log('i', i)
    if i == 20000: until_written(b'\\n', i + 1); sys.stdout.write('x'); sys.stdout.flush()
""",
    )
    assert process.stdout.read(1) == "x"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    found = metric_series.read(job.folder)["i"]
    assert len(found) > 20000 and found == list(range(len(found)))


def test_a_child_that_leaves_at_once_loses_only_the_last_moment(job, python):
    job.run(
        python,
        HEAD
        + WRITTEN
        + """
if os.fork() == 0:
    run.log('early', 1); until_written(b'early', 1); run.log('late', 1); os._exit(0)
os.wait()
""",
    )
    assert metric_series.read(job.folder)["early"] == 1


def test_a_script_that_becomes_another_program_loses_nothing(job, python):
    job.run(
        python,
        HEAD
        + """
if len(sys.argv) == 1:
    run.log('first', 1); os.execv(sys.executable, [sys.executable, __file__, 'again'])
run.log('second', 2)
if len(sys.argv) == 2: os.execlp(sys.executable, sys.executable, __file__, 'once', 'more')
""",
    )
    assert metric_series.read(job.folder) == {"first": 1, "second": [2, 2]}


def test_what_is_logged_while_the_interpreter_ends(job, python):
    job.run(
        python,
        HEAD
        + """
import atexit
atexit.register(lambda: run.log('registered before', 1))
run.log('main', 1)
atexit.register(lambda: run.log('registered after', 1))
def later(): threading.main_thread().join(); run.log('thread', 1)
threading.Thread(target=later).start()
""",
    )
    assert set(metric_series.read(job.folder)) == {
        "main",
        "registered before",
        "registered after",
        "thread",
    }


def test_the_first_line_is_logged_while_the_interpreter_ends(job, python):
    job.run(python, HEAD + "import atexit\natexit.register(lambda: run.log('last', 1))")
    assert metric_series.read(job.folder) == {"last": 1}


def test_an_exception_that_ends_the_script_keeps_what_was_logged(job, python):
    process = job.start(python, HEAD + "run.log('a', 1)\nraise ValueError('the end')")
    assert "the end" in process.communicate(timeout=PATIENCE)[1]
    assert metric_series.read(job.folder) == {"a": 1}


def test_a_signal_handler_that_logs_never_hangs(job, python):
    job.run(
        python,
        HEAD
        + """
import signal
seen, inside, done = [], [], []
def soon(): return done or signal.setitimer(signal.ITIMER_REAL, 0.001)
def handler(number, frame):
    inside.append(1)
    if len(inside) < 4: soon()  # one more may interrupt this one, and that another
    run.log('signal', len(seen)); seen.append(1); run.flush()
    inside.pop()
    soon()
signal.signal(signal.SIGALRM, handler); soon()
count = 0
while len(seen) < 200: run.log('main', count); run.flush(); count += 1
done.append(1); signal.setitimer(signal.ITIMER_REAL, 0)
run.log('count', count); run.log('seen', len(seen))
""",
    )
    found = metric_series.read(job.folder)
    assert found["main"] == list(range(found["count"]))
    assert len(found["signal"]) == found["seen"]  # a handler may be interrupted by the next signal


def test_a_full_disk_is_said_once_and_never_ends_the_training(job, python):
    process = job.start(
        python,
        HEAD
        + """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))
for i in range(2000): run.log('i', i); run.flush()
for block in range(2000): run.log_list('big', ['x' * 1000] * 10); run.flush()
print('trained')
""",
    )
    out, err = process.communicate(timeout=PATIENCE)
    assert (out, process.returncode) == ("trained\n", 0), err
    said = err.splitlines()
    assert len(said) == 2 and "the script continues" in said[0]
    found = metric_series.read(job.folder)["i"]
    assert len(found) > 300 and found == list(range(len(found)))
    assert int(said[1].split()[4]) == 4000 - len(found)


def test_what_could_not_be_written_is_written_once_there_is_room(job, python):
    process = job.start(
        python,
        HEAD
        + """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
for i in range(500): run.log('i', i); run.flush()  # one line is torn
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for i in range(500, 1000): run.log('i', i)
""",
    )
    err = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0 and len(err.splitlines()) == 1
    assert metric_series.read(job.folder) == {"i": list(range(1000))}


def test_a_folder_that_cannot_be_written(job, python):
    (job.folder / "metrics").write_text("a file stands in the way")
    process = job.start(
        python, HEAD + "for i in range(10): run.log('i', i); run.flush()\nprint('trained')"
    )
    out, err = process.communicate(timeout=PATIENCE)
    assert (out, process.returncode) == ("trained\n", 0)
    assert len(err.splitlines()) == 2 and "10 metric lines" in err


def test_a_run_that_was_deleted_is_not_made_again(job, python):
    process = job.start(
        python,
        HEAD
        + """
import shutil
shutil.rmtree(run.folder); run.log('i', 1); run.flush(); print(os.path.exists(run.folder))
""",
    )
    assert process.communicate(timeout=PATIENCE)[0] == "False\n"


def test_a_process_without_threads_still_writes(job, python):
    job.run(
        python,
        HEAD
        + """
threading.Thread.start = lambda self: (_ for _ in ()).throw(RuntimeError("can't start new thread"))
run.log('a', 1); run.log('a', 2); os._exit(0)
""",
    )
    assert metric_series.read(job.folder) == {"a": [1, 2]}


def test_a_script_that_closes_every_descriptor_writes_into_nothing_of_its_own(job, python):
    job.run(
        python,
        HEAD
        + """
run.log('a', 1); run.flush(); os.closerange(3, 100)
mine = open('mine.txt', 'w'); run.log('a', 2); run.flush(); mine.write('mine'); mine.close()
""",
    )
    assert metric_series.read(job.folder) == {"a": [1, 2]}
    assert (job.folder / "work" / "mine.txt").read_text() == "mine"


def test_a_point_is_on_disk_before_log_returns(job, python):
    """``os._exit`` right after the last call, in the process itself and in a forked one."""
    job.run(
        python,
        HEAD
        + """
for i in range(10000): run.log('parent', i, step=2 * i)
run.log_list('list', [1, 2]); run.log_row('row', x=1)
if os.fork() == 0:
    for i in range(10000): run.log('child', i)
    os._exit(0)
os.wait()
os._exit(0)
""",
    )
    found = metric_series.read(job.folder)
    assert found["parent"] == found["child"] == list(range(10000))
    assert found["list"] == [1, 2] and found["row"] == {"x": [1]}
    assert metric_series.series(job.folder, "parent").steps == list(range(0, 20000, 2))


def test_a_pool_that_ends_its_workers_loses_nothing(job, python):
    """As ``with Pool()`` does: by SIGTERM, at once."""
    job.run(
        python,
        HEAD
        + """
import multiprocessing
def work(number):
    for i in range(10): Run.get_context().log('square', number * 10 + i)
with multiprocessing.get_context('fork').Pool(3) as pool: pool.map(work, range(20), 1)
""",
    )
    assert sorted(metric_series.read(job.folder)["square"]) == list(range(200))


def test_sigkill_loses_nothing_that_was_logged(job, python):
    process = job.start(
        python,
        HEAD
        + "for i in range(10 ** 9):\n    run.log('i', i)\n"
        + "    if i % 1000 == 999: os.write(1, b'%d\\n' % i)\n",
    )
    for _ in range(20):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    seen = process.communicate()[0].split("\n")[:-1]
    found = metric_series.read(job.folder)["i"]
    assert len(found) > int(seen[-1] if seen else 19999) and found == list(range(len(found)))


#: every write of this process takes long, as on a remote disk
SLOW = """
from scriptrun.runtime.injob.metrics import writer
append, slow = writer._append, [0.02]
def later(*given):
    time.sleep(slow[0])
    return append(*given)
writer._append = later
"""


def test_slow_writes_are_left_to_the_flusher_and_os_exit_writes_them(job, python):
    job.run(
        python,
        HEAD
        + SLOW
        + """
for i in range(200000): run.log('i', i)
held = writer.writer_of(run.folder)
assert held._held_until and len(os.listdir(os.path.join(run.folder, 'metrics'))) == 1
os._exit(0)
""",
    )
    assert metric_series.read(job.folder)["i"] == list(range(200000))


def test_a_flush_waits_for_another_and_writes_no_line_twice(job, python):
    job.run(
        python,
        HEAD
        + SLOW
        + """
slow[0] = 1.0
writer.LOCK_TIMEOUT = 0.01
threads = [threading.Thread(target=run.log, args=('t', n)) for n in range(4)]
for t in threads: t.start()
for _ in range(100): run.flush()
for t in threads: t.join()
""",
    )
    assert sorted(metric_series.read(job.folder)["t"]) == [0, 1, 2, 3]


def test_a_thread_that_never_lets_go_costs_no_line_at_exit(job, python):
    job.run(
        python,
        HEAD
        + """
from scriptrun.runtime.injob.metrics import writer
writer.LOCK_TIMEOUT = 0.01
run.log('a', 1)
held, taken = writer.writer_of(run.folder), threading.Event()
def hold(): held._lock.acquire(); taken.set(); time.sleep(3600)
thread = threading.Thread(target=hold); thread.daemon = True; thread.start(); taken.wait()
run.log('a', 2)
""",
    )
    assert metric_series.read(job.folder) == {"a": [1, 2]}
    assert len(list((job.folder / "metrics").iterdir())) == 2
