"""Counts last as long as the service, through the death of any of its processes, and no longer."""

from __future__ import annotations

import os
from pathlib import Path

from telemetry.spec import Kind, Layout
from telemetry.store import open_store
from telemetry.tests.store.processes import run, total


class TestGeneration:
    def test_goes_on_through_workers_that_follow_one_another(self, tmp_path: Path) -> None:
        """One worker at a time, each dead before the next: only their parent holds the generation."""
        seen = run("""
            store, totals = open_store((), sys.argv[1]), []
            for n in range(6):
                child(lambda: store.table(C).add(("x",)), kill=n % 2 == 0)
                totals.append(total(store.read()))
            print(json.dumps([totals, store.read().generation]))
        """, tmp_path)  # fmt: skip
        assert [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1] == seen

    def test_goes_on_with_a_child_after_its_parent(self, tmp_path: Path) -> None:
        seen = run("""
            ready, tell = os.pipe()
            parent = os.fork()
            if parent == 0:
                store = open_store((), sys.argv[1])
                store.table(C).add(("parent",), 3)
                if os.fork() == 0:
                    store.table(C).add(("child",), 4)
                    os.write(tell, str(os.getpid()).encode())
                    time.sleep(20)
                time.sleep(20)
            orphan = int(os.read(ready, 20))
            os.kill(parent, signal.SIGKILL)
            os.waitpid(parent, 0)
            store = open_store((), sys.argv[1])
            store.table(C).add(("late",))
            reading = store.read()
            os.kill(orphan, signal.SIGKILL)
            print(json.dumps([total(reading), reading.generation]))
        """, tmp_path)  # fmt: skip
        assert [8.0, 1] == seen

    def test_ends_with_the_last_process(self, tmp_path: Path) -> None:
        script = """
            store = open_store((), sys.argv[1])
            child(lambda: store.table(C).add(("x",), 5))
            store.table(C).add(("x",), 2)
            reading = store.read()
            files = sorted(os.listdir(sys.argv[1]))
            print(json.dumps([total(reading), reading.generation, reading.instance_id, files]))
        """
        first, second = run(script, tmp_path), run(script, tmp_path)
        assert [7.0, 1] == first[:2]
        assert [7.0, 2] == second[:2]
        assert first[2] != second[2]
        assert ["lock", "seg-2-2", "total"] == second[3]

    def test_has_one_start_and_one_instance_for_all(self, tmp_path: Path) -> None:
        seen = run("""
            store = open_store((), sys.argv[1])
            r, w = os.pipe()
            store.table(C).add(("x",))
            tell = lambda: (store.table(C).add(("y",)), os.write(w, json.dumps(who()).encode() + b"\\n"))
            who = lambda: (lambda reading: [reading.start_time, reading.instance_id])(store.read())
            child(tell), child(tell)
            print(json.dumps([who(), *map(json.loads, os.read(r, 9999).splitlines())]))
        """, tmp_path)  # fmt: skip
        assert seen[0] == seen[1] == seen[2]

    def test_a_reboot_ends_it(self, tmp_path: Path) -> None:
        """Pids of another boot say nothing; the total of a service that would seem alive is not taken over."""
        seen = run("""
            import pathlib
            from telemetry.store import total as totals
            store = open_store((), sys.argv[1])
            child(lambda: store.table(C).add(("x",), 5))
            directory = pathlib.Path(sys.argv[1])
            found = totals.load(directory)
            assert found.anchors
            found.boot = "00000000-0000-0000-0000-000000000001"
            found.write(directory)
            child(lambda: store.table(C).add(("x",), 2))
            print(json.dumps([total(store.read()), store.read().generation]))
        """, tmp_path)  # fmt: skip
        assert [2.0, 2] == seen

    def test_unverifiable_parents_keep_it(self, tmp_path: Path) -> None:
        """An anchor of another pid namespace cannot be asked: in doubt nothing is thrown away."""
        seen = run("""
            import dataclasses, pathlib
            from telemetry.store import total as totals
            store = open_store((), sys.argv[1])
            child(lambda: store.table(C).add(("x",), 5))
            directory = pathlib.Path(sys.argv[1])
            found = totals.load(directory)
            found.anchors = tuple(dataclasses.replace(a, namespace=1, pid=1) for a in found.anchors)
            found.write(directory)
            child(lambda: store.table(C).add(("x",), 2))
            print(json.dumps([total(store.read()), store.read().generation]))
        """, tmp_path)  # fmt: skip
        assert [7.0, 1] == seen


class TestFolding:
    def test_keeps_what_the_kinds_say(self, tmp_path: Path) -> None:
        """The dead are read before they are folded and after it: the same, and up-down shares are gone."""
        seen = run("""
            H = Layout("h", Kind.HISTOGRAM, (), (1.0, 2.0), min_max=True, exemplars=True)
            M, L = Layout("m", Kind.MAX), Layout("l", Kind.LAST)
            store = open_store((), sys.argv[1])
            def work(n):
                store.table(C).add(("x",), n)
                store.table(U).add((), n)
                store.table(M).raise_to((), -n)
                store.table(L).set((), n, at=100.0 - n)
                store.table(H).observe((), n, Exemplar(n, 100.0 + n, 1 << 100 | n, n))
            def shown():
                tables = store.read().tables
                return [[tables[name].series().get((), tables[name].series().get(("x",))) for name in "cumlh"],
                        [[b, e.value, e.time, e.trace_id, e.span_id] for b, e in tables["h"].exemplars[()].items()]]
            for n in (1, 2, 3):
                child(lambda: work(n), kill=True)
            before, files = shown(), len(os.listdir(sys.argv[1]))
            store.attach()
            print(json.dumps([before, shown(), files, sorted(os.listdir(sys.argv[1]))]))
        """, tmp_path)  # fmt: skip
        expected = [
            [[6.0], None, [-1.0], [1.0, 99.0], [1.0, 1.0, 1.0, 6.0, 1.0, 3.0]],
            [[0, 1.0, 101.0, 1 << 100 | 1, 1], [1, 2.0, 102.0, 1 << 100 | 2, 2], [2, 3.0, 103.0, 1 << 100 | 3, 3]],
        ]
        assert expected == seen[0]
        assert expected == seen[1]
        assert ["lock", "seg-1-4", "total"] == seen[3]

    def test_tells_the_gone_from_the_living(self, tmp_path: Path) -> None:
        """Requests begun and never done are a difference within the gone."""
        seen = run("""
            store = open_store((), sys.argv[1])
            store.table(C).add(("begun",), 10)
            child(lambda: store.table(C).add(("begun",), 3), kill=True)
            parts = lambda: [[t.living[("begun",)], t.gone[("begun",)]] for t in [store.read().tables["c"]]][0]
            before = parts()
            child(store.attach)
            print(json.dumps([before, parts()]))
        """, tmp_path)  # fmt: skip
        assert [[[10.0], [3.0]]] * 2 == seen


class TestConflicts:
    def test_unlike_layouts_are_not_added_and_the_newest_shows(self, tmp_path: Path) -> None:
        """A reload with other edges, then the dead folded: what is hidden is counted and comes back."""
        seen = run("""
            old = Layout("h", Kind.HISTOGRAM, (), (1.0, 2.0))
            new = Layout("h", Kind.HISTOGRAM, (), (1.0, 3.0))
            keep = open_store((), sys.argv[1])
            keep.table(C).add(("x",))
            def shown():
                reading = keep.read()
                return [list(reading.tables["h"].layout.edges), reading.tables["h"].series()[()], reading.conflicts]
            seen = []
            for layout in (old, old, new, old):
                child(lambda: open_store((), sys.argv[1]).table(layout).observe((), 1.5))
                seen.append(shown())
            child(lambda: open_store((), sys.argv[1]).table(C).add(("x",)))
            seen.append(shown())
            print(json.dumps(seen))
        """, tmp_path)  # fmt: skip
        assert [
            [[1.0, 2.0], [0.0, 1.0, 0.0, 1.5], 0],
            [[1.0, 2.0], [0.0, 2.0, 0.0, 3.0], 0],
            [[1.0, 3.0], [0.0, 1.0, 0.0, 1.5], 1],
            [[1.0, 2.0], [0.0, 3.0, 0.0, 4.5], 1],
            [[1.0, 2.0], [0.0, 3.0, 0.0, 4.5], 1],
        ] == seen


class TestServing:
    def test_workers_of_one_parent_or_of_its_successor_are_one_service_and_others_two(self, tmp_path: Path) -> None:
        seen = run("""
            store = open_store((), sys.argv[1])
            ready, tell = os.pipe()
            def serve():
                store.table(C).add(("x",))
                store.serve()
                os.write(tell, f"{os.getpid()} {os.getppid()}\\n".encode())
                time.sleep(20)
            for _ in range(2):
                if os.fork() == 0:
                    serve()
            while len(os.listdir(sys.argv[1])) < 4:
                time.sleep(0.01)
            pids = []
            while len(pids) < 4:
                pids += map(int, os.read(ready, 100).split())
            one = store.read().serving_anchors
            if os.fork() == 0:  # as a server that upgrades itself: its successor is its child
                if os.fork() == 0:
                    serve()
                time.sleep(20)
            pids += map(int, os.read(ready, 100).split())
            upgrading = store.read().serving_anchors
            if os.fork() == 0:
                if os.fork() == 0:
                    if os.fork() == 0:
                        serve()
                    time.sleep(20)
                os._exit(0)
            os.wait()
            pids += map(int, os.read(ready, 100).split())
            two = store.read().serving_anchors
            for pid in set(pids) - {os.getpid()}:
                os.kill(pid, signal.SIGKILL)
            print(json.dumps([one, upgrading, two]))
        """, tmp_path)  # fmt: skip
        assert [1, 1, 2] == seen


class TestPrivateStores:
    def test_are_told_apart_and_gone_at_exit(self, tmp_path: Path) -> None:
        script = """
            store = open_store((), private=True)
            path = store.directory.path
            made_early = path.exists()
            store.table(C).add(("x",))
            child(lambda: store.table(C).add(("x",), 2))
            print(json.dumps([str(path), made_early, path.exists(), total(store.read())]))
        """
        first, second = run(script), run(script)
        assert [False, True, 3.0] == first[1:] == second[1:]
        assert first[0] != second[0]
        assert not Path(first[0]).exists()

    def test_processes_of_one_identity_share_and_others_do_not(self, tmp_path: Path) -> None:
        name = f"test-{os.getpid()}"
        one, same, other = (open_store((name, service)) for service in ("a", "a", "b"))
        layout = Layout("c", Kind.SUM)
        try:
            assert not one.directory.path.exists()  # type: ignore[attr-defined]
            for store in (one, same, other):
                store.table(layout).add(())
            assert [2.0, 2.0, 1.0] == [total(store.read()) for store in (one, same, other)]
        finally:
            for store in (one, other):
                path = store.directory.path  # type: ignore[attr-defined]
                store.close()
                for file in path.iterdir():
                    file.unlink()
                path.rmdir()
            same.close()
