"""A streaming response's content that tells when it has ended: sent whole, broken off, failed or forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

from django.http.response import HttpResponseBase

Ended = Callable[[int, BaseException | None, bool], None]
"""Called once, with the bytes sent, the exception that ended the stream, and whether it was given up
before its end; must not raise."""


def on_end(response: HttpResponseBase, ended: Ended) -> None:
    """Call `ended` when the content of this response has been sent, fails or is given up.

    A file's content stays a file: `file_to_stream` is kept for servers that send it themselves,
    and then the response's `close()` is the end.
    """
    # The raw iterator, not `streaming_content`: that would tie response and content into a cycle,
    # and a forgotten stream would end only when the garbage collector runs.
    source = getattr(response, "_iterator", None)
    if source is None:
        ended(0, None, False)
        return
    if isinstance(source, _Stream):
        source.ended.append(ended)
        return
    stream: Any = response
    file = getattr(stream, "file_to_stream", None)
    stream.streaming_content = (AsyncStream if stream.is_async else SyncStream)(source, ended, stream.charset)
    if file is not None:
        stream.file_to_stream = file


class Context(Protocol):
    """What content is made in: entered before each part, left after it; must not raise."""

    def enter(self) -> None: ...
    def leave(self) -> None: ...


def keep_in(response: HttpResponseBase, context: Context) -> None:
    """Have the content of a response that `on_end` watches made in this context, whoever asks for it."""
    source = getattr(response, "_iterator", None)
    if isinstance(source, _Stream):
        source.contexts.append(context)


class _Stream:
    """What both kinds share: the count of bytes and the one end."""

    __slots__ = ("__weakref__", "_charset", "_source", "contexts", "ended", "sent")

    def __init__(self, source: Any, ended: Ended, charset: str) -> None:
        self._source = source
        self._charset = charset
        self.ended = [ended]
        self.contexts: list[Context] = []
        self.sent = 0

    def close(self) -> None:
        """The response was closed: called by Django for every response it has sent."""
        self._end(None, given_up=True)

    def __del__(self) -> None:
        self._end(None, given_up=True)

    def _end(self, exc: BaseException | None, *, given_up: bool = False) -> None:
        while True:
            try:
                ended = self.ended.pop(0)
            except IndexError:
                return
            ended(self.sent, exc, given_up)

    def _enter(self) -> None:
        for context in self.contexts:
            context.enter()

    def _leave(self) -> None:
        for context in reversed(self.contexts):
            context.leave()

    def _counted(self, part: Any) -> Any:
        if type(part) is bytes:
            self.sent += len(part)
        elif isinstance(part, memoryview):
            self.sent += part.nbytes
        else:
            with suppress(LookupError, UnicodeError):
                self.sent += len(part if isinstance(part, bytes) else str(part).encode(self._charset))
        return part


class SyncStream(_Stream):
    """A synchronous iterator over the content."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        self._enter()
        try:
            return self._counted(next(self._source))
        except StopIteration:
            self._end(None)
            raise
        except BaseException as exc:
            self._end(exc)
            raise
        finally:
            self._leave()


class AsyncStream(_Stream):
    """An asynchronous iterator over the content."""

    __slots__ = ()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        self._enter()
        try:
            return self._counted(await anext(self._source))
        except StopAsyncIteration:
            self._end(None)
            raise
        except BaseException as exc:
            self._end(exc)
            raise
        finally:
            self._leave()
