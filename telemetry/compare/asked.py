"""One expression that somebody evaluates: a panel, a variable, a rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from telemetry.compare.errors import InputError

VARIABLE = "\ue000"
"""Stands in a string of `promql` for a part that is chosen while somebody looks."""
VARIABLE_NAME = "variable_of_the_dashboard"
"""Stands for such a part in a name."""

STRING = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)""", re.DOTALL)
"""A string of PromQL, in a group: `split` gives code and strings in turns."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`written` is what the file has; `promql` what may stand for it, of which the first that parses counts.

    `records` is the name that a recording rule gives to the answer, `labels` what a rule adds to it.
    """

    file: str
    place: str
    written: str
    promql: tuple[str, ...]
    records: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def collect(paths: Iterable[str], endings: tuple[str, ...], read: Callable[[str, str], Iterable[Asked]]) -> list[Asked]:
    """Everything that `read(file, text)` finds in the files, and in those with such an ending below directories.

    Raises:
        InputError: a path does not exist, a file cannot be read, or there is no expression at all.
    """
    found: list[Asked] = []
    for path in paths:
        before = len(found)
        files = list(_files(Path(path), endings))
        for file in files:
            try:
                text = file.read_text(encoding="utf-8-sig")
            except OSError as error:
                raise InputError(f"{file}: {error.strerror or error}") from error
            except UnicodeDecodeError as error:
                raise InputError(f"{file}: not UTF-8") from error
            found += read(str(file), text)
        if len(found) == before:
            where = (
                f"{len(files)} files {' '.join('*' + ending for ending in endings)} of " if Path(path).is_dir() else ""
            )
            raise InputError(f"{where}{path}: no expression found")
    return found


def _files(path: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    yield from sorted(file for file in path.rglob("*") if file.is_file() and file.name.endswith(endings))
