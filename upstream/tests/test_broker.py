"""The embedded broker under several users at once, against kombu's own transport."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection
from kombu.transport import filesystem

from upstream import broker
from upstream.celery import app
from upstream.settings import _env

MESSAGES = 300
# More than is written at once.
BODY = "x" * 200_000


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    url = "filesystem://localhost/"
    with Connection(url, transport_options=_env.broker_options(url, tmp_path)) as connection:
        yield connection


class TestTransport:
    def test_is_that_of_the_app(self) -> None:
        with app.connection_for_write("filesystem://localhost/") as connection:
            assert broker.Transport is type(connection.transport)

    def test_a_message_is_whole_when_it_is_seen(self, connection: Connection) -> None:
        def send() -> None:
            with connection.clone() as mine, mine.SimpleQueue("work") as queue:
                for number in range(MESSAGES):
                    queue.put({"number": number, "body": BODY})

        sender = threading.Thread(target=send)
        sender.start()
        numbers: list[int] = []
        channel: Any = connection.channel()
        while len(numbers) < MESSAGES:
            try:
                numbers.append(_number(channel._get("work")))
            except Empty:
                assert sender.is_alive() or channel._size("work"), f"only {len(numbers)} came"
        sender.join()
        assert list(range(MESSAGES)) == numbers, "each once, in the order in which they were sent"

    def test_a_table_that_is_half_written_is_waited_for(self, connection: Connection) -> None:
        channel: Any = connection.channel()
        channel._queue_bind("work", "key", "", "queue")
        table = channel.get_table("work")
        assert 1 == len(table)
        file = Path(channel.control_folder) / "work.exchange"
        content = file.read_text()
        file.write_text("")
        later = threading.Timer(0.1, file.write_text, (content,))
        later.start()
        assert table == channel.get_table("work")
        later.join()

    def test_one_that_stays_broken_is_an_error(self, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(broker, "_PAUSE", 0)
        channel: Any = connection.channel()
        (Path(channel.control_folder) / "work.exchange").write_text("nonsense")
        with pytest.raises(ValueError, match="Expecting value"):
            channel.get_table("work")

    def test_what_it_overrides_is_there(self) -> None:
        for name in ("_put", "get_table", "_queue_bind"):
            assert callable(getattr(filesystem.Channel, name))
        assert filesystem.Channel is filesystem.Transport.Channel


def _number(message: Any) -> int:
    return int(json.loads(base64.b64decode(message["body"]))["number"])
