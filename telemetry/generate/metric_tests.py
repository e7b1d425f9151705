"""A test for each business metric: it reaches a scrape as it is declared, and takes no value outside its labels."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping

from ruff.__main__ import find_ruff_bin  # type: ignore[import-untyped]

from telemetry.business import Measure, Reason
from telemetry.business._fit import Label
from telemetry.errors import SpecError
from telemetry.spec import FamilyType

_HEAD = '''"""Every business metric reaches a scrape as it is declared, and takes no value outside its labels.

Generated from the declarations by `manage.py telemetry_generate`, which overwrites what is changed by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

'''
_FIXTURE = """

@pytest.fixture
def page() -> Iterator[Scrape]:
    with scrape() as found:
        yield found
"""
_LAYOUT = ("--isolated", "--line-length", "120", "--target-version", "py311")
"""What pyproject.toml says, which is not there for whoever generates into another directory."""
_RECORD = {FamilyType.COUNTER: "add", FamilyType.HISTOGRAM: "record", FamilyType.GAUGE: "set"}


def module(measures: Iterable[Measure[...]]) -> str:
    """The source of the tests of these metrics: formatted, and clean for mypy.

    Raises:
        SpecError: two modules that declare metrics or labels have one name.
    """
    measures = list(measures)
    used = {measure.module for measure in measures}
    used |= {label.enum.__module__ for measure in measures for label in measure.labels.values() if label.enum}
    return _formatted(_HEAD + _imports(used) + _FIXTURE + "".join(map(_class, measures)))


def _imports(modules: Iterable[str]) -> str:
    packages: dict[str, list[str]] = {"telemetry.tests.business.harness": ["Scrape", "Shown", "scrape"]}
    names: dict[str, str] = {}
    for module in sorted(modules):
        package, _, name = module.rpartition(".")
        if name in names:
            raise SpecError(f"modules {names[name]!r} and {module!r} of business metrics have one name; rename one")
        names[name] = module
        packages.setdefault(package, []).append(name)
    return "".join(f"from {package} import {', '.join(found)}\n" for package, found in sorted(packages.items()))


def _class(measure: Measure[...]) -> str:
    name = "".join(word.capitalize() for word in re.split(r"\W|_", measure.name))
    fitting = {label.name: _fitting(label) for label in measure.labels.values()}
    value, buckets = _value(measure)
    shown = {label.name: (label.values or ("some"[: label.length],))[0] for label in measure.labels.values()}
    lines = [
        f"class Test{name}:",
        "    def test_is_shown_as_declared(self, page: Scrape) -> None:",
        f"        {_call(measure, value, fitting)}",
        f"        shown = Shown({measure.type.value!r}, {shown!r}, {value}{buckets})",
        f"        assert shown == page.read({measure.family.name!r})",
    ]
    for label in measure.labels.values():
        if label.values:
            lines += [
                "",
                f"    def test_{label.name}_takes_no_other_value(self, page: Scrape) -> None:",
                f"        {_call(measure, value, fitting, {label.name: _outside(label)})}",
                f"        assert {{({measure.family.name!r}, {Reason.UNKNOWN_VALUE.value!r}): 1}} == page.dropped()",
            ]
    return "\n\n" + "\n".join(lines) + "\n"


def _call(measure: Measure[...], value: str, labels: Mapping[str, str], wrong: Mapping[str, str] | None = None) -> str:
    wrong = wrong or {}
    arguments = [f"{value},"]
    for name, text in labels.items():
        # Where mypy sees the wrong value, it must reject it: it complains of a comment that ignores nothing.
        arguments.append(f"{name}={wrong[name]},  # type: ignore[arg-type]" if name in wrong else f"{name}={text},")
    meter = f"{measure.module.rpartition('.')[2]}.{measure.attribute}.{_RECORD[measure.type]}"
    return f"{meter}(" + "".join(f"\n            {argument}" for argument in arguments) + "\n        )"


def _fitting(label: Label) -> str:
    """A valid value, as it is written in a call."""
    if label.enum is None:
        return repr(label.values[0] if label.values else "some"[: label.length])
    member = label.enum(label.values[0])
    return f"{label.enum.__module__.rpartition('.')[2]}.{label.enum.__qualname__}.{member.name}"


def _outside(label: Label) -> str:
    text = "other"
    while text in label.values:
        text += "_"
    return repr(text)


def _value(measure: Measure[...]) -> tuple[str, str]:
    """What is recorded, and what the buckets show then, each with what is below it."""
    edges = measure.family.buckets
    if not edges:
        return ("3" if measure.type is FamilyType.COUNTER else "0.5"), ""
    value = edges[min(1, len(edges) - 1)]
    counts = (f"{edge:.12g}: {int(value <= edge)}" for edge in edges)
    return f"{value:.12g}", f', {{{", ".join(counts)}, float("inf"): 1}}'


def _formatted(source: str) -> str:
    command = [find_ruff_bin(), "format", *_LAYOUT, "-"]
    return subprocess.run(command, input=source, capture_output=True, check=True, text=True).stdout  # noqa: S603
