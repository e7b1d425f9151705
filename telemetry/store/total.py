"""What the dead left: one file, only ever replaced whole.

8 bytes magic, u32 length of the head, u32 CRC-32 of everything that follows;
the head, JSON in ASCII, padded with zeros to a whole cell; then records as in a segment.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import time
import uuid
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

from telemetry.errors import SegmentCorrupt
from telemetry.store import _processes, layout
from telemetry.store._gathered import Gathered
from telemetry.store._processes import Owner
from telemetry.store.segment import TEMPORARY

NAME = "total"
_MAGIC = b"TLMTOT01"
_HEAD = struct.Struct("=8s2I")


@dataclass(slots=True)
class Total:
    """A generation and the sums of its dead.

    A segment of this generation is absorbed, which means that its counts are in here, if and only if
    its id is below `watermark` and not in `open_ids`.
    """

    generation: int
    start_time: float = field(default_factory=time.time)
    instance_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    boot: str = field(default_factory=_processes.boot_id)
    anchors: tuple[Owner, ...] = ()
    watermark: int = 1
    open_ids: frozenset[int] = frozenset()
    corrupt: int = 0
    lost: float = 0.0
    gathered: Gathered = field(default_factory=Gathered)

    def absorbed(self, number: int) -> bool:
        """Whether the counts of segment `number` of this generation are in here."""
        return number < self.watermark and number not in self.open_ids

    def write(self, directory: Path) -> None:
        """Replace the file. Called under the directory's lock.

        Raises:
            OSError: it cannot be written; the old one stands.
        """
        head = {
            "generation": self.generation,
            "start_time": self.start_time,
            "instance_id": self.instance_id,
            "boot": self.boot,
            "anchors": [asdict(anchor) for anchor in self.anchors],
            "watermark": self.watermark,
            "open_ids": sorted(self.open_ids),
            "corrupt": self.corrupt,
            "lost": self.lost,
        }
        packed = json.dumps(head).encode("ascii")
        body = packed + bytes(-len(packed) % 8) + self.gathered.dump()
        temporary = directory / f"{TEMPORARY}{NAME}"
        try:
            temporary.write_bytes(_HEAD.pack(_MAGIC, len(packed), zlib.crc32(body)) + body)
            temporary.rename(directory / NAME)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def load(directory: Path) -> Total | None:
    """The total of this directory; None where there is none.

    Raises:
        OSError: it cannot be read.
        SegmentCorrupt: it is not what `Total.write` wrote.
    """
    try:
        fd = os.open(directory / NAME, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        return parse(file.read())


def parse(data: bytes) -> Total:
    """Read the bytes of a total.

    Raises:
        SegmentCorrupt: they are not what `Total.write` wrote.
    """
    if len(data) < _HEAD.size or not data.startswith(_MAGIC):
        raise SegmentCorrupt(f"total: it begins with {data[:8]!r}, not with {_MAGIC!r}")
    _, length, check = _HEAD.unpack_from(data)
    if zlib.crc32(memoryview(data)[_HEAD.size :]) != check:
        raise SegmentCorrupt(f"total: its {len(data)} bytes do not fit their check sum")
    body = memoryview(data)[_HEAD.size + (length + 7) // 8 * 8 :]
    try:
        head = json.loads(data[_HEAD.size : _HEAD.size + length])
        head["anchors"] = tuple(Owner(**anchor) for anchor in head["anchors"])
        head["open_ids"] = frozenset(head["open_ids"])
        total = Total(**head)
    except (ValueError, TypeError, KeyError) as error:
        raise SegmentCorrupt(f"total: its head is not ours: {error}") from error
    records = layout.Records(end=0)
    records.extend(body, len(body) // 8)
    total.gathered.add(records, body, living=False)
    return total
