"""Takes uploaded files in without ever holding one in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.utils.datastructures import MultiValueDict

_MOST_DIGITS = 18


class UploadRefused(ValueError):
    """The body of a request cannot be taken; the message tells why, `status` is that of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def announced(request: HttpRequest) -> int:
    """The bytes that a request's header says its body has; 0 without the header.

    Raises:
        UploadRefused: it does not say a number of bytes (400).
    """
    given = request.META.get("CONTENT_LENGTH") or "0"
    if not (given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS):
        raise UploadRefused(400, "the header Content-Length is not a number of bytes")
    return int(given)


@contextmanager
def received(request: HttpRequest, limit: int) -> Iterator[tuple[QueryDict, MultiValueDict[str, UploadedFile[Any]]]]:
    """The fields and files of a multipart/form-data request, the files on disk until the block ends.

    Raises:
        UploadRefused: the body is no such form (400), was cut off on its way (400), or has files of
            more than `limit` bytes (413); or its length is malformed (400).
    """
    length = announced(request)
    handler = _CappedFiles(limit)
    request.upload_handlers = [handler]
    # The stubs ask for more than the parser does, and than it may have.
    body: Any = _CountedBody(request)
    try:
        fields, files = request.parse_file_upload(request.META, body)
    except (MultiPartParserError, UnreadablePostError, BadRequest, SuspiciousOperation) as error:
        raise UploadRefused(400, f"the body cannot be read as multipart/form-data: {error}") from error
    try:
        if handler.exceeded:
            raise UploadRefused(413, f"the file is larger than {limit:,} bytes; send it in parts")
        if body.count < length:
            raise UploadRefused(400, f"the body was cut off on its way: {body.count:,} of {length:,} bytes came")
        yield fields, files
    finally:
        for name in files:
            for file in files.getlist(name):
                file.close()


class _CountedBody:
    """What Django's parser reads a body from: it counts, because a body that ends early is no error to Django.

    It cannot be iterated: the parser would throw away what is left of a request line by line, of any length.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.count = 0

    def read(self, size: int) -> bytes:
        data = self._request.read(size)
        self.count += len(data)
        return data


class _CappedFiles(TemporaryFileUploadHandler):
    """Writes files to disk and gives up beyond `limit` bytes.

    The rest of the body is read and thrown away: a client that is still sending would not see the answer.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.exceeded = False
        self._received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._received += len(raw_data)
        if self._received > self.limit:
            self.exceeded = True
            raise StopUpload(connection_reset=False)
        super().receive_data_chunk(raw_data, start)
