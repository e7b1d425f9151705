#!/usr/bin/env python
"""Django's command line."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "upstream.settings.dev")
    from django.core.management import execute_from_command_line

    # Not left to an app: one of its checks is whether the settings that name the apps were read.
    import upstream.monitoring_checks  # noqa: F401

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
