"""What connections and statements leave in the store, for every engine, without a change of `ENGINE`.

Statements are seen next to the driver, inside whatever `execute_wrapper` the application has; so are
COPY, `stream` and `callproc`, which Django's execute wrappers are not told of. Connecting is seen
around the backend's `get_new_connection`, or, with Django's pool for PostgreSQL, where the pool has a
connection that it opened configured. A driver's cursor that is used past Django's is not seen.
"""

from __future__ import annotations

from telemetry.instrumentation.db._instrumentation import DbInstrumentation
from telemetry.instrumentation.db.operations import OPERATIONS, operation

__all__ = ["OPERATIONS", "DbInstrumentation", "operation"]
