"""A project with Channels: HTTP by Django, WebSockets by consumers, and a lifespan of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import django

django.setup(set_prefix=False)

from channels.generic.websocket import (  # type: ignore[import-untyped]  # noqa: E402
    AsyncWebsocketConsumer,
    WebsocketConsumer,
)
from channels.routing import ProtocolTypeRouter, URLRouter  # type: ignore[import-untyped]  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import path  # noqa: E402


class Shout(AsyncWebsocketConsumer):  # type: ignore[misc]
    async def receive(self, text_data: str) -> None:
        await self.send(text_data=text_data.upper())


class SyncShout(WebsocketConsumer):  # type: ignore[misc]
    def receive(self, text_data: str) -> None:
        self.send(text_data=text_data.upper())


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    while True:
        moment = (await receive())["type"].removeprefix("lifespan.")
        Path(moment).touch()
        await send({"type": f"lifespan.{moment}.complete"})
        if moment == "shutdown":
            return


application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path("shout", Shout.as_asgi()), path("sync-shout", SyncShout.as_asgi())]),
        "lifespan": lifespan,
    }
)
