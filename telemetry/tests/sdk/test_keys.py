"""Attribute sets survive the way into the store and back, through JSON too."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest

from telemetry.sdk.keys import attributes_of, key_of
from telemetry.tests.sdk.compare import typed
from telemetry.tests.sdk.test_instruments import ATTRIBUTES

SETS = [
    attributes for attributes in ATTRIBUTES if attributes and all(isinstance(name, str) and name for name in attributes)
]


class TestKeys:
    @pytest.mark.parametrize("attributes", [*SETS, {"a": -0.0, "b": 1e300, "c": b"\x00", "d": ((1, "x"), {})}], ids=str)
    def test_round_trip(self, attributes: dict[str, Any]) -> None:
        stored = json.loads(json.dumps(key_of(attributes)))
        assert typed(attributes) == typed(attributes_of(tuple(map(tuple, stored))))

    def test_not_a_number(self) -> None:
        assert math.isnan(attributes_of(key_of({"a": math.nan}))["a"])
        assert key_of({"a": math.nan}) == key_of({"a": float("nan")})

    def test_order_does_not_matter(self) -> None:
        for order in itertools.permutations({"b": 1, "a": "x", "c": {"z": 1, "y": 2}}.items()):
            assert key_of(dict(order)) == key_of({"a": "x", "b": 1, "c": {"y": 2, "z": 1}})

    def test_values_that_python_takes_for_equal_are_told_apart(self) -> None:
        values: list[Any] = [
            1,
            1.0,
            True,
            "1",
            (1,),
            (True,),
            (1.0,),
            "true",
            None,
            "null",
            b"1",
            {"1": 1},
            {"1": True},
        ]
        assert len({key_of({"a": value}) for value in values}) == len(values)
