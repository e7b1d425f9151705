"""The test project on a MariaDB server, with PyMySQL in mysqlclient's place."""

import os

import pymysql  # type: ignore[import-untyped]

from telemetry.tests.project.settings import *  # noqa: F403

pymysql.install_as_MySQLdb()

INSTALLED_APPS = ["telemetry"]
DATABASES = {
    "default": {
        "ENGINE": os.environ["TEST_ENGINE"],
        "NAME": os.environ["TEST_DATABASE"],
        "USER": "root",
        "HOST": os.environ["TEST_SOCKET"],
    }
}
