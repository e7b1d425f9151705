"""A process killed at any step of coming in leaves a store that reads the same."""

from __future__ import annotations

from pathlib import Path

from telemetry.tests.store.processes import run

KILL_AT_STEP = """
    import pathlib
    from telemetry.store import total as totals
    kept = []

    def kill_at(step):
        left = [step]
        def wrap(owner, name):
            function = getattr(owner, name)
            def wrapped(*args, **kwargs):
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
                return function(*args, **kwargs)
            setattr(owner, name, wrapped)
        for name in ("open", "close", "pread", "posix_fallocate", "scandir"):
            wrap(os, name)
        for name in ("rename", "unlink", "write_bytes"):
            wrap(pathlib.Path, name)

    def newcomer(step):
        kill_at(step)
        open_store((), sys.argv[1]).attach()

    def two_segments():
        for store in (open_store((), sys.argv[1]), open_store((), sys.argv[1])):
            kept.append(store)
            store.table(C).add(("x",))

    def attempt(step):
        pid = os.fork()
        if pid == 0:
            newcomer(step)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


class TestKilledAtEveryStep:
    def test_of_folding_no_total_changes(self, tmp_path: Path) -> None:
        seen = run(KILL_AT_STEP + """
    reader, step, wrong, tmp = open_store((), sys.argv[1]), 0, [], 0
    while True:
        # always something to fold: two dead segments, and what the last one left behind
        child(two_segments, kill=True)
        before = total(reader.read())
        status = attempt(step)
        after = reader.read()
        fresh = open_store((), sys.argv[1]).read()
        if before != 2.0 * (step + 1) or [total(after), total(fresh)] != [before] * 2 or after.corrupt:
            wrong.append([step, before, total(after), total(fresh), after.corrupt])
        tmp = max(tmp, len(os.listdir(sys.argv[1])))
        if status == 0:
            break
        assert status == -9, status
        step += 1
    print(json.dumps([wrong, step, tmp]))
        """, tmp_path)  # fmt: skip
        wrong, steps, most_files = seen
        assert [] == wrong
        assert steps > 20, "the steps of an attach were not all seen"
        assert most_files <= 8

    def test_of_beginning_anew_nothing_of_the_old_shows(self, tmp_path: Path) -> None:
        """Each round a service that has ended is followed by one that is killed while it begins."""
        seen = run(KILL_AT_STEP + """
    def ended_service():
        found = totals.load(pathlib.Path(sys.argv[1]))
        if found is not None:
            found.boot = "00000000-0000-0000-0000-000000000001"
            found.write(pathlib.Path(sys.argv[1]))
    step, wrong = 0, []
    while True:
        child(lambda: open_store((), sys.argv[1]).table(C).add(("x",), 5), kill=True)
        ended_service()
        status = attempt(step)
        child(lambda: open_store((), sys.argv[1]).table(C).add(("x",), 2), kill=True)
        shown = open_store((), sys.argv[1]).read()
        left = [name for name in os.listdir(sys.argv[1]) if name.startswith("tmp-")]
        old = [name for name in os.listdir(sys.argv[1])
               if name.startswith("seg-") and not name.startswith(f"seg-{shown.generation}-")]
        if total(shown) != 2.0 or left or old or shown.corrupt:
            wrong.append([step, total(shown), left, old, shown.corrupt])
        ended_service()
        if status == 0:
            break
        assert status == -9, status
        step += 1
    print(json.dumps([wrong, step]))
        """, tmp_path)  # fmt: skip
        wrong, steps = seen
        assert [] == wrong
        assert steps > 15, "the steps of a reset were not all seen"
