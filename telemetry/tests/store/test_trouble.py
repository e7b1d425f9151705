"""Where files cannot be had the process goes on in memory, says so once, and comes back when it can."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telemetry.spec import Kind, Layout
from telemetry.store import MappedStore, Table, mapped, open_store, reaper
from telemetry.store import directory as directories
from telemetry.store import layout as byte_format
from telemetry.store.directory import Directory, locate
from telemetry.store.layout import MAX_KEY_BYTES
from telemetry.store.segment import Segment
from telemetry.tests.store.processes import run, total

C = Layout("c", Kind.SUM, ("k",))


def opened(path: Path) -> MappedStore:
    store = open_store((), path)
    assert isinstance(store, MappedStore)
    return store


class TestUnusableDirectory:
    def test_the_process_counts_in_memory_and_says_so_once(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").write_text("")
        store = opened(tmp_path / "file" / "store")
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                store.table(C).add(("x",))
                reading = store.read()
        assert 3.0 == total(reading)
        assert [os.getpid()] == [process.pid for process in reading.processes]
        (record,) = caplog.records
        assert f"{tmp_path}/file/store" in record.getMessage()
        assert "serves from memory" in record.getMessage()
        assert "Not a directory" in store.degraded

    def test_it_moves_into_a_file_when_it_can(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mapped, "RETRY_SECONDS", 0.0)
        (tmp_path / "store").write_text("in the way")
        store = opened(tmp_path / "store")
        store.table(C).add(("x",), 5)
        assert store.degraded
        (tmp_path / "store").unlink()
        store.attach()
        assert "" == store.degraded
        store.table(C).add(("x",), 1)
        assert [6.0, 6.0] == [total(store.read()), total(opened(tmp_path / "store").read())]

    @pytest.mark.parametrize("private", [True, False])
    def test_a_machine_without_any_directory(self, monkeypatch: pytest.MonkeyPatch, private: bool) -> None:
        def none() -> str:
            raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

        monkeypatch.setattr(tempfile, "gettempdir", none)
        monkeypatch.setattr(directories, "_SHARED_MEMORY", Path("/nonexistent"))
        store = open_store(("service",), private=private)
        store.table(C).add(("x",))
        assert 1.0 == total(store.read())
        assert "No usable temporary directory" in store.degraded

    def test_it_does_not_try_at_every_measurement(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "store").write_text("in the way")
        store = opened(tmp_path / "store")
        tries: list[int] = []

        def refuse(_: Directory) -> None:
            tries.append(1)
            raise OSError("no")

        monkeypatch.setattr(Directory, "prepare", refuse)
        for n in range(50):
            store.table(C).add((str(n),))
        assert [1] == tries

    def test_nothing_is_made_before_something_is_recorded(self, tmp_path: Path) -> None:
        store = opened(tmp_path / "store")
        store.table(C)
        reading = store.read()
        assert [0, {}] == [reading.generation, {k: v for k, v in reading.tables.items() if v.series()}]
        assert [] == list(tmp_path.iterdir())


class TestUnexpectedErrors:
    """No error at all reaches the application, whatever its type."""

    def test_of_an_attach_are_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object) -> None:
            raise ZeroDivisionError("nobody thought of this")

        monkeypatch.setattr(reaper, "admit", broken)
        store = opened(tmp_path)
        store.table(C).add(("x",), 5)
        assert "nobody thought of this" == store.degraded
        assert 5.0 == total(store.read())

    def test_of_the_hook_change_nothing(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        calls: list[int] = []

        def broken() -> None:
            calls.append(1)
            raise ZeroDivisionError("hook")

        store = open_store((), tmp_path, on_attach=broken)
        for _ in range(3):
            store.table(C).add(("x",), 5)
        assert ["", [1], 15.0] == [store.degraded, calls, total(opened(tmp_path).read())]
        with caplog.at_level(logging.WARNING):
            store.attach()
        assert ["ZeroDivisionError" in record.getMessage() for record in caplog.records] == [True]


class TestOwnedDirectory:
    def test_one_that_others_may_write_is_refused(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o777)
        store = MappedStore(Directory(tmp_path, owned=True))
        store.attach()
        assert "mode 777" in store.degraded

    def test_a_link_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir(mode=0o700)
        (tmp_path / "link").symlink_to(tmp_path / "real")
        store = MappedStore(Directory(tmp_path / "link", owned=True))
        store.attach()
        assert "not a directory" in store.degraded
        assert [] == list((tmp_path / "real").iterdir())

    def test_another_users_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
        store = MappedStore(Directory(tmp_path, owned=True))
        store.attach()
        assert "belongs to user" in store.degraded

    def test_every_part_of_the_identity_tells_apart(self) -> None:
        paths = {locate(identity).path for identity in (("a", "b"), ("ab", ""), ("a", "c"), ("a,b",), ("b", "a"))}
        assert 5 == len(paths)
        assert locate(("a", "b")) == locate(["a", "b"])

    def test_a_network_file_system_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        device = tmp_path.stat().st_dev
        mounts = tmp_path / "mountinfo"
        mounts.write_text(
            "22 1 0:99 / /proc rw - proc proc rw\n"
            f"36 35 {os.major(device)}:{os.minor(device)} / /mnt rw,noatime shared:1 - nfs4 server:/export rw\n"
        )
        monkeypatch.setattr(directories, "_MOUNTS", mounts)
        store = opened(tmp_path / "store")
        store.attach()
        assert "is on nfs4" in store.degraded


class TestLock:
    def test_a_stopped_holder_does_not_hang_a_boot(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mapped, "PATIENCE", 0.1)
        monkeypatch.setattr(mapped, "RETRY_SECONDS", 0.0)
        seen = run("""
            from telemetry.store import mapped
            from telemetry.store._locks import DirectoryLock
            import pathlib
            mapped.PATIENCE, mapped.RETRY_SECONDS = 0.1, 0.0
            store = open_store((), sys.argv[1])
            ready, tell = os.pipe()
            holder = os.fork()
            if holder == 0:
                with DirectoryLock(pathlib.Path(sys.argv[1]) / "lock", 1.0):
                    os.write(tell, b"x")
                    os.kill(os.getpid(), signal.SIGSTOP)
                    time.sleep(20)
            os.read(ready, 1)
            store.table(C).add(("x",), 5)
            first = [store.degraded, total(store.read())]
            os.kill(holder, signal.SIGKILL)
            os.waitpid(holder, 0)
            store.attach()
            print(json.dumps([*first, store.degraded, total(open_store((), sys.argv[1]).read())]))
        """, tmp_path)  # fmt: skip
        assert "still locked by another process after 0.1 s" in seen[0]
        assert [5.0, "", 5.0] == seen[1:]

    def test_no_descriptor_survives_an_exec(self, mapped: MappedStore) -> None:
        mapped.table(C).add(("x",))
        ours = [
            int(fd) for fd in os.listdir("/proc/self/fd")
            if (link := Path(f"/proc/self/fd/{fd}")).is_symlink()
            and str(mapped.directory.path) in os.readlink(link)
        ]  # fmt: skip
        assert 2 == len(ours), "the lock's and the mapping's"
        assert all(fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC for fd in ours)


class TestFullDisk:
    def test_no_room_for_a_segment_is_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "posix_fallocate", full)
        store = opened(tmp_path)
        store.table(C).add(("x",), 5)
        assert "No space left" in store.degraded
        assert 5.0 == total(store.read())
        assert ["lock", "total"] == sorted(os.listdir(tmp_path)), "nothing half made stays"

    def test_no_room_to_grow_counts_what_is_lost_and_recovers(self, tmp_path: Path) -> None:
        """The kernel refuses (RLIMIT_FSIZE): known series go on, new ones are lost and counted, then fit."""
        seen = run("""
            import logging, resource
            logging.disable()
            store = open_store((), sys.argv[1])
            wide = Layout("wide", Kind.HISTOGRAM, ("n",), tuple(float(n) for n in range(1, 200)), exemplars=True)
            store.table(C).add(("x",))
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (70_000, hard))
            for n in range(40):
                store.table(wide).observe((str(n),), 5.0, Exemplar(5.0, 1.0, 1, 1))
                store.table(C).add(("x",))
            full = store.read()
            kept = sum(sum(cells[:200]) for cells in full.tables["wide"].series().values())
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            store.table(wide).observe(("39",), 5.0)
            after = store.read()
            child(lambda: store.attach())
            print(json.dumps([total(full), kept, full.lost, after.tables["wide"].series()[("39",)][4], after.lost,
                              full.corrupt, store.degraded]))
        """, tmp_path)  # fmt: skip
        known, kept, lost, recovered, lost_after, corrupt, degraded = seen
        assert 41.0 == known
        assert 40.0 == kept + lost
        assert lost > 0
        assert [1.0, lost, 0, ""] == [recovered, lost_after, corrupt, degraded]

    def test_the_lost_outlive_their_process(self, tmp_path: Path) -> None:
        seen = run("""
            import logging
            logging.disable()
            store = open_store((), sys.argv[1])
            child(lambda: [store.table(C).add(("x" * 100_000,)) for _ in range(3)])
            first = store.read().lost
            store.attach()
            print(json.dumps([first, store.read().lost, sorted(os.listdir(sys.argv[1]))]))
        """, tmp_path)  # fmt: skip
        assert [3.0, 3.0, ["lock", "seg-1-2", "total"]] == seen


class TestBadKeys:
    @pytest.mark.parametrize(
        "key", [("x" * (MAX_KEY_BYTES + 1),), (b"bytes",), (object(),)], ids=["long", "bytes", "object"]
    )
    def test_are_lost_counted_and_logged_once(
        self, mapped: MappedStore, caplog: pytest.LogCaptureFixture, key: tuple[object, ...]
    ) -> None:
        with caplog.at_level(logging.WARNING):
            for _ in range(4):
                mapped.table(C).add(key)
                mapped.table(C).add(("good",))
                reading = mapped.read()
        assert [4.0, 4.0] == [total(reading), reading.lost]
        assert 1 == len(caplog.records)


class TestReentrance:
    def test_a_finaliser_that_records_while_a_series_is_made_loses_nothing(
        self, mapped: MappedStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Garbage collection may end a request while another is being recorded, in the same thread."""
        counter = mapped.table(C)
        made: list[Table] = []
        inside: list[int] = []

        def interrupting(original: Callable[..., Any]) -> Callable[..., Any]:
            def wrapped(*args: Any) -> Any:
                if not inside:
                    inside.append(1)
                    # at times the very series, at times the very layout, that is being made
                    made.append(counter if len(made) % 3 else mapped.table(Layout(f"n{len(made)}", Kind.SUM)))
                    made[-1].add((str(len(made) // 2),))
                    inside.clear()
                return original(*args)

            return wrapped

        for owner, name in ((byte_format, "_record"), (Segment, "_append"), (Segment, "_grow")):
            monkeypatch.setattr(owner, name, interrupting(getattr(owner, name)))
        for n in range(400):
            counter.add((str(n),))
        monkeypatch.undo()
        reading = mapped.read()
        assert [0, 0.0] == [reading.corrupt, reading.lost]
        nested = sum(total(reading, name) for name in reading.tables if name != "c")
        assert 400 + len(made) == total(reading) + nested
        assert len(made) > 400

    def test_a_record_made_while_attaching_moves_along(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = opened(tmp_path)
        counter = store.table(C)
        admit = reaper.admit

        def recording(*args: Any) -> Any:
            counter.add(("inner",))
            header = admit(*args)
            counter.add(("inner",), 2)
            return header

        monkeypatch.setattr(reaper, "admit", recording)
        counter.add(("outer",))
        assert [4.0, 4.0] == [total(store.read()), total(opened(tmp_path).read())]


class TestClose:
    def test_the_counts_stay_with_the_service(self, tmp_path: Path) -> None:
        store, other = opened(tmp_path), opened(tmp_path)
        other.attach()
        store.table(C).add(("x",), 5)
        store.close()
        store.close()
        store.table(C).add(("x",), 1)
        assert 5.0 == total(other.read())
        late = opened(tmp_path)
        late.attach()
        assert 5.0 == total(late.read())
        assert [1, 3] == sorted(process.segment for process in late.read().processes)
