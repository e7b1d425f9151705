"""The PromQL of Grafana's dashboards: panels wherever they are nested, variables, annotations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from telemetry.compare.asked import STRING, VARIABLE, VARIABLE_NAME, Asked
from telemetry.compare.errors import InputError

ENDINGS = (".json",)

# https://grafana.com/docs/grafana/latest/dashboards/variables/variable-syntax/
_USE = re.compile(r"\$\{(\w+)[^}]*\}|\$([A-Za-z_]\w*)")
_OLD_USE = re.compile(r"\[\[(\w+)(?::\w+)?\]\]")
# A range or a step (`[$__range:]`), an offset.
_DURATION = re.compile(r"(?<=\[)[^\[\]]*(?=\])|(?<=offset)\s+-?\s*(?:\$\{\w+[^}]*\}|\$\w+)")
_LABELS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_LABEL_VALUES = re.compile(r"\s*label_values\(\s*(?:(.*),)?\s*([^\s,]+)\s*\)\s*\Z", re.DOTALL)
_QUERY_RESULT = re.compile(r"\s*query_result\((.*)\)\s*\Z", re.DOTALL)
_METRICS = re.compile(r"\s*metrics\(\s*(.*?)\s*\)\s*\Z", re.DOTALL)
_LABEL_NAMES = re.compile(r"\s*label_names\(")
_FIXED = frozenset({"constant", "custom", "interval", "textbox"})


def expressions(file: str, text: str) -> Iterator[Asked]:
    """Every expression of the dashboard in `text`; nothing where its data source is another than Prometheus.

    Raises:
        InputError: it is not JSON.
    """
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{file}, line {error.lineno}: not JSON: {error.msg}") from error
    fixed = {name: value for variable in _variables(whole) for name, value in _value(variable)}
    for variable in _variables(whole):
        yield from _query(file, variable, fixed)
    yield from _targets(file, whole, fixed, "dashboard", "")


def _variables(node: Any) -> Iterator[dict[str, Any]]:
    """The entries of `templating.list`, wherever the dashboard is wrapped."""
    if isinstance(node, dict):
        templating = node.get("templating")
        if isinstance(templating, dict):
            yield from (variable for variable in templating.get("list") or () if isinstance(variable, dict))
        for inner in node.values():
            yield from _variables(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _variables(inner)


def _value(variable: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a variable is that asks nobody."""
    current = variable.get("current")
    value = current.get("value") if isinstance(current, dict) else None
    value = variable.get("query") if variable.get("type") == "constant" and not value else value
    if variable.get("type") in _FIXED and isinstance(value, str) and value and not value.startswith("$__"):
        yield str(variable.get("name")), value


def _query(file: str, variable: dict[str, Any], fixed: Mapping[str, str]) -> Iterator[Asked]:
    query = variable.get("query")
    if isinstance(query, dict):
        query = query.get("query")
    if variable.get("type") != "query" or not isinstance(query, str) or not _of_prometheus(variable):
        return
    place = f"variable {str(variable.get('name'))!r}"
    if match := _LABEL_VALUES.match(query):
        selector, label = match[1], match[2]
        asked = f"group by ({label}) ({selector})" if selector else f'group by ({label}) ({{{label}!=""}})'
    elif match := _QUERY_RESULT.match(query):
        asked = match[1]
    elif match := _METRICS.match(query):
        asked = f"{{__name__=~{json.dumps(f'.*(?:{match[1]}).*')}}}"
    elif _LABEL_NAMES.match(query):
        return
    else:
        asked = query
    yield Asked(file, place, query, candidates(asked, fixed))


def _targets(file: str, node: Any, fixed: Mapping[str, str], place: str, source: str) -> Iterator[Asked]:
    if isinstance(node, list):
        for inner in node:
            yield from _targets(file, inner, fixed, place, source)
    if not isinstance(node, dict):
        return
    if not _of_prometheus(node):
        source = "other"
    elif node.get("datasource") is not None:
        source = ""
    if "targets" in node:
        place = f"panel {str(node.get('title') or node.get('id') or '?')!r}"
    elif isinstance(node.get("name"), str) and ("expr" in node or "target" in node):
        place = f"annotation {node['name']!r}"
    written = node.get("expr")
    if isinstance(written, str) and written.strip() and not source:
        ref = node.get("refId")
        yield Asked(file, f"{place}, query {ref}" if ref else place, written, candidates(written, fixed))
    for name, inner in node.items():
        if name != "templating":
            yield from _targets(file, inner, fixed, place, "" if name in ("panels", "rows") else source)


def _of_prometheus(node: dict[str, Any]) -> bool:
    """Whether what `node` asks may go to a Prometheus: its data source is one, or is not told."""
    source = node.get("datasource")
    kind = source.get("type") if isinstance(source, dict) else None
    return not isinstance(kind, str) or "$" in kind or "prometheus" in kind or kind in ("datasource", "mixed")


def candidates(expression: str, fixed: Mapping[str, str]) -> tuple[str, ...]:
    """PromQL that may stand for an expression with Grafana's variables.

    In a string it is `VARIABLE`, in a range five minutes unless it has a fixed value, in a list of labels a
    name; anywhere else it may be a number or a name.
    """

    def value(match: re.Match[str]) -> str:
        return fixed.get(match[1] or match[2], match[0])

    def in_string(part: str) -> str:
        # Also where its value is known: whoever looks may choose another.
        return _USE.sub(VARIABLE, part)

    def in_code(part: str, other: str) -> str:
        part = _USE.sub(value, part)
        part = _DURATION.sub(lambda match: _USE.sub("5m", match[0]), part)
        part = _LABELS.sub(lambda match: _USE.sub(VARIABLE_NAME, match[0]), part)
        return _USE.sub(other, part)

    parts = STRING.split(_OLD_USE.sub(r"${\1}", expression))
    texts = (
        "".join(in_string(part) if number % 2 else in_code(part, other) for number, part in enumerate(parts))
        for other in ("5", VARIABLE_NAME)
    )
    return tuple(dict.fromkeys(texts))
