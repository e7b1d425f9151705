"""Attribute sets as keys of the store, and back.

A key is a tuple of `(name, value)` pairs sorted by name. A value that is no string stands as JSON text in a
triple `(name, text, "json")`, because Python takes `True`, `1` and `1.0` for one key while OpenTelemetry's
data model and the SDK do not.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from telemetry.samples import Key

JSON = "json"


def key_of(attributes: Mapping[str, Any]) -> Key:
    """The key of an attribute set, whatever the order of its attributes."""
    return tuple(
        (name, str.__str__(value)) if isinstance(value, str) else (name, json.dumps(_plain(value)), JSON)
        for name, value in sorted(attributes.items())
    )


def attributes_of(key: Key) -> dict[str, Any]:
    """The attribute set of a key made by `key_of`."""
    attributes = {}
    for part in key:
        name, value = part[0], part[1]  # type: ignore[index]
        attributes[name] = _rich(json.loads(value)) if len(part) == 3 else value  # type: ignore[arg-type]
    return attributes


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {"map": {str(name): _plain(value[name]) for name in sorted(value, key=str)}}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def _rich(value: Any) -> Any:
    if isinstance(value, dict):
        if "bytes" in value:
            return base64.b64decode(value["bytes"])
        return {name: _rich(item) for name, item in value["map"].items()}
    if isinstance(value, list):
        return tuple(map(_rich, value))
    return value
