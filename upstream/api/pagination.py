"""Lists come in pages, the newest rows first."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from upstream.text import shorten


class NewestFirst(CursorPagination):
    """By falling id, from a cursor on: no page costs more than the first, and none shifts when rows are added."""

    ordering = "-pk"
    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    page_size_query_description = f"Rows in a page, 1 to {max_page_size}; {page_size} where it is not given."

    def get_page_size(self, request: Request) -> int:
        """How many rows a page has.

        Raises:
            ValidationError: what the request asks for is no such number.
        """
        given = request.query_params.get(self.page_size_query_param)
        if given is None:
            return self.page_size
        if _is_number(given) and 1 <= int(given) <= self.max_page_size:
            return int(given)
        valid = f"a whole number from 1 to {self.max_page_size}"
        raise ValidationError({self.page_size_query_param: f"{shorten(given)!r} is not {valid}"})

    def decode_cursor(self, request: Request) -> Any:
        """Where the page begins; None for the first.

        Raises:
            ValidationError: the cursor is none that an answer gave.
        """
        try:
            cursor = super().decode_cursor(request)
        except NotFound:
            cursor, genuine = None, False
        else:
            position: object = cursor and cursor.position
            genuine = position is None or _is_number(str(position))
        if not genuine:
            given = request.query_params[self.cursor_query_param]
            message = f"{shorten(given)!r} is none that the field 'next' or 'previous' of an answer gave"
            raise ValidationError({self.cursor_query_param: message})
        return cursor


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
