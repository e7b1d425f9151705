"""Django's ASGI application is told the end of its server, and does what it did otherwise."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler

from telemetry.instrumentation.lifespan import end_with_lifespan


class Ended:
    """Counts how often the end was told; may fail."""

    def __init__(self) -> None:
        self.times = 0
        self.error: Exception | None = None
        self.failures: list[tuple[str, BaseException]] = []

    def __call__(self) -> None:
        self.times += 1
        if self.error is not None:
            raise self.error

    def failed(self, where: str, exc: BaseException) -> None:
        self.failures.append((where, exc))


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Ended:
    monkeypatch.setattr(ASGIHandler, "__call__", ASGIHandler.__call__)  # taken back after the test
    made = Ended()
    end_with_lifespan(made, made.failed)
    return made


def talk(kind: str, *messages: str) -> list[str]:
    """What the application answers to these messages of a server."""
    answers: list[str] = []

    async def main() -> None:
        waiting = [{"type": message} for message in messages]

        async def receive() -> dict[str, Any]:
            return waiting.pop(0)

        async def send(message: Any) -> None:
            answers.append(message["type"])

        await ASGIHandler.__new__(ASGIHandler)({"type": kind}, receive, send)

    asyncio.run(main())
    return answers


class TestEndWithLifespan:
    def test_the_end_is_told_once_and_before_the_server_is_answered(self, ended: Ended) -> None:
        answers = talk("lifespan", "lifespan.startup", "lifespan.shutdown")
        assert (["lifespan.startup.complete", "lifespan.shutdown.complete"], 1) == (answers, ended.times)

    def test_a_failure_is_told_and_the_server_comes_to_its_end(self, ended: Ended) -> None:
        ended.error = RuntimeError("no")
        assert "lifespan.shutdown.complete" in talk("lifespan", "lifespan.startup", "lifespan.shutdown")
        assert [("lifespan", ended.error)] == ended.failures

    def test_what_is_neither_http_nor_a_lifespan_is_declined_as_before(self, ended: Ended) -> None:
        with pytest.raises(ValueError, match="Django can only handle ASGI/HTTP connections, not websocket"):
            talk("websocket")
        assert 0 == ended.times

    def test_servers_still_see_a_coroutine_function(self, ended: Ended) -> None:
        assert inspect.iscoroutinefunction(ASGIHandler.__call__)

    def test_again_changes_nothing(self, ended: Ended) -> None:
        call = ASGIHandler.__call__
        end_with_lifespan(Ended(), ended.failed)
        assert call is ASGIHandler.__call__
