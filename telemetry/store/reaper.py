"""What is done under the directory's lock: decide the generation, fold the dead, admit a newcomer.

Each step leaves a directory that reads the same if the process is killed after it: what counts is the
one rename that replaces `total`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from telemetry.errors import SegmentCorrupt
from telemetry.store import _locks, _processes, total
from telemetry.store._processes import Owner
from telemetry.store.layout import Header
from telemetry.store.merge import SEGMENT, Known, read_header, read_segment
from telemetry.store.segment import TEMPORARY
from telemetry.store.total import Total


@dataclass(slots=True, eq=False)
class _Found:
    """A segment in the directory. `known` is what a dead one holds, None where it cannot be read."""

    path: Path
    generation: int
    id: int
    lives: bool = True
    known: Known | None = None
    corrupt: bool = False


def admit(directory: Path, owner: Owner, anchor: Owner | None) -> Header:
    """Make room for a new segment of `owner` and say what its header is.

    Raises:
        OSError: the generation cannot be begun or the total not written; what was there still stands.
    """
    found = _scan(directory)
    current = _current(directory, found, anchor)
    mine = [segment for segment in found if segment.generation == current.generation]
    _reap(directory, current, mine, anchor)
    for segment in found:
        if segment.generation != current.generation:
            segment.path.unlink(missing_ok=True)
    number = max([current.watermark, *(segment.id + 1 for segment in mine)])
    return Header(current.generation, number, owner, anchor)


def _scan(directory: Path) -> list[_Found]:
    found = []
    for entry in list(os.scandir(directory)):
        match = SEGMENT.match(entry.name)
        if match:
            found.append(_look(Path(entry.path), int(match[1]), int(match[2])))
        elif entry.name.startswith(TEMPORARY):
            # whoever made it held the lock that we hold now, so it is of one who was killed
            Path(entry.path).unlink(missing_ok=True)
    return sorted(found, key=lambda segment: segment.id)


def _look(path: Path, generation: int, number: int) -> _Found:
    segment = _Found(path, generation, number)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return segment  # in doubt it lives
    try:
        segment.lives = _is_held(fd)
        # a child that was forked behind Python's back keeps the lock of a dead parent
        if segment.lives and _processes.surely_dead(read_header(fd, generation, number)[0].owner):
            segment.lives = False
        # only after that verdict: what is read while it lives is not final
        if not segment.lives:
            segment.known = read_segment(fd, generation, number)
            segment.corrupt = not segment.known.whole
    except SegmentCorrupt:
        segment.corrupt = True
    except OSError:
        segment.lives = True
    finally:
        os.close(fd)
    return segment


def _is_held(fd: int) -> bool:
    held = _locks.is_locked(fd)
    if held is not None:
        return held
    if _locks.try_lock(fd):
        fcntl.flock(fd, fcntl.LOCK_UN)
        return False
    return True


def _current(directory: Path, found: list[_Found], anchor: Owner | None) -> Total:
    """The generation that goes on, or a new one where no process of the old is left."""
    try:
        current = total.load(directory)
        corrupt = 0
    except SegmentCorrupt:
        current, corrupt = None, 1
    if current is not None and _goes_on(current, found):
        return current
    newest = max([current.generation if current else 0, *(segment.generation for segment in found)])
    begun = Total(newest + 1, corrupt=corrupt, anchors=(anchor,) if anchor else ())
    begun.write(directory)
    return begun


def _goes_on(current: Total, found: list[_Found]) -> bool:
    boot = _processes.boot_id()
    if boot and current.boot and boot != current.boot:
        return False
    if any(segment.lives for segment in found if segment.generation == current.generation):
        return True
    return any(not _processes.surely_dead(anchor) for anchor in current.anchors)


def _reap(directory: Path, current: Total, found: list[_Found], anchor: Owner | None) -> None:
    """Fold the dead into a new total, then take their files and absorbed leftovers away."""
    fresh = [segment for segment in found if not current.absorbed(segment.id)]
    dead = [segment for segment in fresh if not segment.lives]
    anchors = {each: None for each in current.anchors if not _processes.surely_dead(each)}
    if anchor is not None:
        anchors[anchor] = None
    if dead or tuple(anchors) != current.anchors:
        for segment in dead:
            current.corrupt += segment.corrupt
            if segment.known is not None:
                known = segment.known
                current.gathered.add(known.records, known.data, living=False, segment=segment.id)
                current.lost += known.lost
        current.anchors = tuple(anchors)
        current.watermark = max([current.watermark, *(segment.id + 1 for segment in found)])
        current.open_ids = frozenset(segment.id for segment in fresh if segment.lives)
        current.write(directory)
    for segment in found:
        if segment not in fresh or segment in dead:
            with contextlib.suppress(OSError):
                segment.path.unlink()
