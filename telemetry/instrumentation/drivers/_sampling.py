"""What the SDK's own samplers are known to answer, so that they need not be asked at every query."""

from __future__ import annotations

import sys
from typing import Any


def answers(sampler: Any) -> tuple[bool, bool]:
    """Whether this sampler drops every span, and whether it drops each one below a parent that is not sampled.

    Only of the SDK's own (https://opentelemetry.io/docs/specs/otel/trace/sdk/#built-in-samplers): any other
    sampler, a subclass too, may change its mind and is to be asked.
    """
    sdk: Any = sys.modules.get("opentelemetry.sdk.trace.sampling")
    if sdk is None or type(sampler).__module__ != sdk.__name__:
        return False, False
    if sampler is sdk.ALWAYS_OFF:
        return True, True
    followed = isinstance(sampler, sdk.ParentBased) and (
        sampler._local_parent_not_sampled is sdk.ALWAYS_OFF and sampler._remote_parent_not_sampled is sdk.ALWAYS_OFF
    )
    return False, followed
