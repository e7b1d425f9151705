"""Takes uploaded files in without ever holding one in memory."""

from __future__ import annotations

from django.core.files.uploadhandler import StopUpload, TemporaryFileUploadHandler


class CappedUploadHandler(TemporaryFileUploadHandler):
    """Streams to a temporary file and gives up on a body of more than `limit` bytes; `exceeded` tells so.

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
