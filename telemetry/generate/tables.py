"""The tables of the operators' page, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from telemetry.catalogue.buckets import LATENCY, SEMCONV_DB, SEMCONV_HTTP, SIZE
from telemetry.catalogue.cache import DURATION
from telemetry.generate.families import Entry, Section

_NAMED = {LATENCY: "latency", SIZE: "size", SEMCONV_HTTP: "http", SEMCONV_DB: "db", DURATION: "cache"}
_UNITS = {LATENCY: "s", SIZE: "bytes", SEMCONV_HTTP: "s", SEMCONV_DB: "s", DURATION: "s"}


def tables(sections: Mapping[Section, Sequence[Entry]]) -> dict[str, str]:
    """What stands between each pair of markers, by the marker's name."""
    business = sections[Section.BUSINESS]
    return {
        **{section.value: families(found) for section, found in sections.items()},
        "buckets": buckets(),
        "business labels": labels(business),
    }


def families(found: Iterable[Entry]) -> str:
    """One row a family; what a declaration says of it only where all are declared."""
    found = list(found)
    owned = all(entry.question for entry in found)
    head = ["family", "type", "labels", "buckets", "meaning"]
    if not owned:
        return _table(head, map(_row, found))
    head += ["unit", "series", "owner", "question"]
    declared = ([f"`{entry.unit}`", f"{entry.series:,}", entry.owner, entry.question] for entry in found)
    return _table(head, ([*_row(entry), *more] for entry, more in zip(found, declared, strict=True)))


def labels(found: Iterable[Entry]) -> str:
    """One row for each set of values that a label takes, with the families in which it takes them."""
    uses: dict[tuple[str, str], list[str]] = {}
    for entry in found:
        for label in entry.family.labels:
            values = entry.values.get(label)
            if values:
                told = ", ".join(f"`{value}`" for value in values)
            else:
                longest, budget = entry.open_values[label]
                told = f"text of up to {longest} characters, {budget} values"
            uses.setdefault((label, told), []).append(f"`{entry.family.name}`")
    rows = ([f"`{label}`", told, ", ".join(names)] for (label, told), names in sorted(uses.items()))
    return _table(["label", "values", "families"], rows)


def buckets() -> str:
    """The sets of bounds that have a name in the other tables."""
    rows = ([f"*{name}*", _UNITS[edges], _bounds(edges)] for edges, name in _NAMED.items())
    return _table(["buckets", "unit", "upper bounds, inclusive; `+Inf` follows"], rows)


def _row(entry: Entry) -> list[str]:
    family = entry.family
    return [
        f"`{family.name}`",
        family.type.value,
        ", ".join(f"`{label}`" for label in family.labels),
        f"*{_NAMED[family.buckets]}*" if family.buckets in _NAMED else _bounds(family.buckets),
        family.help,
    ]


def _bounds(edges: Iterable[float]) -> str:
    return ", ".join(f"{edge:.12g}" for edge in edges)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
