"""The PromQL of Prometheus's rule files, also in the form of a `PrometheusRule` of Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from telemetry.compare.asked import Asked
from telemetry.compare.errors import InputError

ENDINGS = (".yml", ".yaml", ".rules")


def expressions(file: str, text: str) -> Iterator[Asked]:
    """Every rule of the groups in `text`.

    Raises:
        InputError: it is not YAML, or its groups are not those of a rule file.
    """
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{file}{where}: not YAML: {getattr(error, 'problem', None) or error}") from error
    for document in documents:
        body = document.get("spec", document) if isinstance(document, dict) else None
        for group in _list(file, body, "groups"):
            for rule in _list(file, group, "rules"):
                yield _rule(file, str(group.get("name", "?")), rule)


def _list(file: str, node: Any, name: str) -> list[Any]:
    found = node.get(name) if isinstance(node, dict) else None
    if found is None and isinstance(node, dict):
        return []
    if not isinstance(found, list):
        raise InputError(f"{file}: not a rule file: {name!r} must be a list in a mapping")
    return found


def _rule(file: str, group: str, rule: Any) -> Asked:
    name = rule.get("record") or rule.get("alert") if isinstance(rule, dict) else None
    if not name or "expr" not in rule:
        raise InputError(f"{file}, group {group!r}: a rule needs 'expr', and 'record' or 'alert'; given: {rule!r}")
    kind = "recording rule" if "record" in rule else "alert"
    written = str(rule["expr"]).strip()
    labels = {str(label): str(value) for label, value in (rule.get("labels") or {}).items()}
    return Asked(file, f"{kind} {str(name)!r}", written, (written,), str(rule.get("record", "")), labels)
