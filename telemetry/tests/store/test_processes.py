"""Who is dead, whose worker a process is, and what a fork shares."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from telemetry.store import _processes
from telemetry.tests.store.processes import CHECKOUT, run


class TestSurelyDead:
    def test_this_process_lives(self) -> None:
        assert not _processes.surely_dead(_processes.current())

    def test_one_that_ended_is_dead(self) -> None:
        process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        owner = _processes.owner_of(process.pid)
        assert not _processes.surely_dead(owner)
        process.communicate()
        assert _processes.surely_dead(owner)

    def test_a_zombie_is_dead(self) -> None:
        process = subprocess.Popen([sys.executable, "-c", ""])
        owner = _processes.owner_of(process.pid)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert Path(f"/proc/{process.pid}").exists()
        assert _processes.surely_dead(owner)
        process.wait()

    def test_a_zombie_whose_other_threads_run_lives(self) -> None:
        seen = run("""
            from telemetry.store import _processes
            pid = os.fork()
            if pid == 0:
                threading.Thread(target=time.sleep, args=(20,)).start()
                ctypes.CDLL(None).pthread_exit(None)
            state = lambda: open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
            while state() != "Z":
                time.sleep(0.01)
            seen = _processes.surely_dead(_processes.owner_of(pid))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            print(json.dumps(seen))
        """)
        assert seen is False

    def test_a_pid_used_again_is_dead(self) -> None:
        me = _processes.current()
        assert _processes.surely_dead(dataclasses.replace(me, ticks=me.ticks - 1))

    def test_another_boot_is_dead(self) -> None:
        me = _processes.current()
        assert _processes.surely_dead(dataclasses.replace(me, boot="00000000-0000-0000-0000-000000000001"))

    def test_another_pid_namespace_is_in_doubt(self) -> None:
        me = _processes.current()
        assert not _processes.surely_dead(dataclasses.replace(me, pid=2**22 + 5, namespace=me.namespace + 1))


class TestAnchor:
    def test_a_forked_child_has_its_parent(self) -> None:
        seen = run("""
            from telemetry.store import _processes
            r, w = os.pipe()
            if os.fork() == 0:
                os.write(w, str(_processes.anchor() == _processes.owner_of(os.getppid())).encode())
                os._exit(0)
            os.wait()
            print(json.dumps(os.read(r, 100).decode()))
        """)
        assert "True" == seen

    def test_a_multiprocessing_child_has_its_parent(self, tmp_path: Path) -> None:
        script = tmp_path / "spawn.py"
        script.write_text(
            "import multiprocessing, os\n"
            "from telemetry.store import _processes\n"
            "def work(queue):\n"
            "    queue.put(_processes.anchor().pid == os.getppid())\n"
            "if __name__ == '__main__':\n"
            "    context = multiprocessing.get_context('spawn')\n"
            "    queue = context.Queue()\n"
            "    process = context.Process(target=work, args=(queue,))\n"
            "    process.start()\n"
            "    print(queue.get(timeout=30))\n"
            "    process.join()\n"
        )
        done = subprocess.run(
            [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert "True" == done.stdout.strip(), done.stderr

    def test_a_reloader_s_child_has_its_parent(self, tmp_path: Path) -> None:
        script = tmp_path / "again.py"
        script.write_text(
            "import os, subprocess, sys\n"
            "from telemetry.store import _processes\n"
            "if 'AGAIN' in os.environ:\n"
            "    print(_processes.anchor() == _processes.owner_of(os.getppid()))\n"
            "else:\n"
            "    subprocess.run([sys.executable, *sys.argv], env={**os.environ, 'AGAIN': '1'})\n"
        )
        environ = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        done = subprocess.run(
            [sys.executable, str(script), "serve"], env=environ, capture_output=True, text=True, timeout=60
        )
        assert "True" == done.stdout.strip(), done.stderr

    def test_a_launcher_with_the_same_interpreter_is_none(self) -> None:
        assert run("from telemetry.store import _processes; print(json.dumps(_processes.anchor()))") is None


class TestFork:
    def test_what_was_recorded_before_counts_once(self, tmp_path: Path) -> None:
        seen = run("""
            store = open_store((), sys.argv[1])
            table = store.table(C)
            table.add(("before",), 5)
            for _ in range(3):
                child(lambda: table.add(("after",)))
            series = store.read().tables["c"].series()
            print(json.dumps({key[0]: cells[0] for key, cells in series.items()}))
        """, tmp_path)  # fmt: skip
        assert {"before": 5.0, "after": 3.0} == seen

    def test_a_child_that_records_nothing_has_no_file(self, tmp_path: Path) -> None:
        seen = run("""
            store = open_store((), sys.argv[1])
            store.table(C).add(("x",))
            before = sorted(os.listdir(sys.argv[1]))
            child(lambda: store.table(C))
            print(json.dumps([before, sorted(os.listdir(sys.argv[1]))]))
        """, tmp_path)  # fmt: skip
        assert seen[0] == seen[1]

    def test_a_child_does_not_keep_its_dead_parent_alive(self, tmp_path: Path) -> None:
        """The child outlives its parent with views of the parent's mapping in hand."""
        seen = run("""
            store = open_store((), sys.argv[1])
            ready, tell = os.pipe()
            middle = os.fork()
            if middle == 0:
                store.table(U).add((), 7)
                held = store.cells
                if os.fork() == 0:
                    os.write(tell, b"x")
                    time.sleep(20)
                    os._exit(len(held) == 0)
                time.sleep(20)
            os.read(ready, 1)
            grandchild = int(open(f"/proc/{middle}/task/{middle}/children").read().split()[0])
            before = total(store.read(), "u")
            os.kill(middle, signal.SIGKILL)
            os.waitpid(middle, 0)
            after = total(store.read(), "u")
            os.kill(grandchild, 0)
            os.kill(grandchild, signal.SIGKILL)
            print(json.dumps([before, after]))
        """, tmp_path)  # fmt: skip
        assert [7.0, 0.0] == seen

    def test_a_fork_behind_python_s_back_is_seen_by_the_pid(self, tmp_path: Path) -> None:
        """A C-level fork runs no hooks: the child keeps the lock, and the next one to attach folds the dead."""
        seen = run("""
            store = open_store((), sys.argv[1])
            ready, tell = os.pipe()
            middle = os.fork()
            if middle == 0:
                store.table(C).add(("x",), 7)
                store.table(U).add((), 3)
                pid = ctypes.PyDLL(None).fork()
                if pid == 0:
                    time.sleep(20)
                    os._exit(0)
                os.write(tell, str(pid).encode())
                time.sleep(20)
            orphan = int(os.read(ready, 20))
            os.kill(middle, signal.SIGKILL)
            os.waitpid(middle, 0)
            store.table(C).add(("y",))
            reading = store.read()
            os.kill(orphan, signal.SIGKILL)
            print(json.dumps([total(reading), total(reading, "u"), len(reading.processes)]))
        """, tmp_path)  # fmt: skip
        assert [8.0, 0.0, 1] == seen

    def test_a_fork_while_threads_record_neither_hangs_nor_loses(self, tmp_path: Path) -> None:
        seen = run("""
            store = open_store((), sys.argv[1])
            table = store.table(C)
            stop, made = threading.Event(), [0, 0]
            def work(n):
                while not stop.is_set():
                    table.add((str(made[n] % 40),))
                    made[n] += 1
                    store.read() if made[n] % 500 == 0 else None
            threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
            for thread in threads:
                thread.start()
            for turn in range(40):
                child(lambda: [table.add(("child",)) for _ in range(10)])
            stop.set()
            for thread in threads:
                thread.join()
            series = store.read().tables["c"].series()
            print(json.dumps([series.pop(("child",))[0], sum(made) - sum(cells[0] for cells in series.values())]))
        """, tmp_path)  # fmt: skip
        assert [400.0, 0.0] == seen
