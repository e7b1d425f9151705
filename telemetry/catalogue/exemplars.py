"""Where exemplars are kept: beside the record that they illustrate, in series that only a sampled request makes.

In the record itself each bucket of each series would reserve room for one, six times what its count takes,
also in a service that traces nothing; and a service that begins to trace would have to be laid out anew.
"""

from __future__ import annotations

from collections.abc import Mapping

from telemetry.spec import Kind, Layout, Source


def sampled(layout: Layout, labels: tuple[str, ...] | None = None) -> Layout:
    """The record of a histogram's sampled observations; `labels` are those to keep (default: all)."""
    kept = layout.labels if labels is None else labels
    return Layout(f"{layout.name}.sampled", Kind.HISTOGRAM, kept, layout.edges, exemplars=True)


def exemplars(
    layout: Layout, rename: Mapping[str, str] | None = None, values: Mapping[str, Mapping[str, str]] | None = None
) -> Source:
    """The source that gives a family the exemplars of a `sampled` record, and no observation."""
    return Source(layout, rename=rename or {}, values=values or {}, sign=0)
