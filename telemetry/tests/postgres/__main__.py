"""`make test-postgres`: what asks Django's database, on PostgreSQL, with each driver and with Django's pool."""

from __future__ import annotations

import os
import subprocess
import sys

from telemetry.tests.postgres.server import Unavailable, postgres

RUNS = {"psycopg": "", "psycopg2": "", "psycopg, pool": "?pool=true"}


def main(*arguments: str) -> int:
    failed = []
    with postgres() as server:
        for name, query in RUNS.items():
            print(f"=== {name}", flush=True)
            environ = {
                "TEST_DRIVER": name.partition(",")[0],
                "DATABASE_URL": server.url("postgres") + query,
            }
            plugin = ("-p", "telemetry.tests.postgres.driver")
            done = subprocess.run([sys.executable, "-m", "pytest", *plugin, *arguments], env=os.environ | environ)
            if done.returncode != 0:
                failed.append(name)
    if failed:
        print(f"failed on PostgreSQL with: {'; '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except Unavailable as error:
        sys.exit(str(error))
