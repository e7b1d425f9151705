"""URLs without credentials, tokens, and values of parameters that are not known to be harmless; those in texts too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import unquote_plus

from telemetry.instrumentation import _private_names as _names
from telemetry.instrumentation import _rules
from telemetry.instrumentation._rules import masked
from telemetry.instrumentation._shapes import REDACTED, without_tokens, without_typed

_LONGEST_QUERY = 2_048
_WORDS = re.compile(r"[^\s\"'<>]++")
_AT_AN_END = ").,;:!]}"


def query(text: str) -> str:
    """A query string (without `?`): `REDACTED` for what has no name, and for values but those of harmless names."""
    if len(text) > _LONGEST_QUERY:
        return query(text[:_LONGEST_QUERY].rpartition("&")[0]) + "&..."
    return "&".join(map(_parameter, text.split("&")))


def url(text: str) -> str:
    """A URL, whole or from its path on, without credentials and fragment, its query string as by `query`.

    A whole one is another's, as a webhook: what may be a secret in its path is `REDACTED`.
    """
    text, _, _ = text.partition("#")
    text, asked, parameters = text.partition("?")
    scheme, separator, rest = ("", "//", text[2:]) if text.startswith("//") else text.partition("://")
    if separator:
        authority, slash, path = rest.partition("/")
        text = f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{without_tokens(path)}"
    return masked(text) + (f"?{query(parameters)}" if asked else "")


def path(text: str, captured: Iterable[object]) -> str:
    """A request's path, where its route has `captured` texts without these: anybody may type anything there."""
    return masked(without_typed(text, captured))


def prose(text: str) -> str:
    """The text as by `masked`, and every URL in it as by `url`."""
    if "://" in text or "?" in text:
        text = _WORDS.sub(_word, text)
    return masked(text)


def _parameter(part: str) -> str:
    name, given, value = part.partition("=")
    if not given:
        return REDACTED if part else ""
    told = unquote_plus(name)
    if value and not _is_shown(told, unquote_plus(value)):
        value = REDACTED
    return f"{name if _names.is_identifier(told) and masked(told) == told else REDACTED}={value}"


def _is_shown(name: str, value: str) -> bool:
    looks_right = shows(name)
    return looks_right is not None and bool(looks_right(value)) and masked(value) == value


@lru_cache(1024)
def shows(name: str) -> Callable[[str], object] | None:
    """What the values look like that may be seen of this query parameter, if any may."""
    plain = _names.plain(name)
    if _rules.are_the_projects(_names.parts(name)):
        return None
    return _is_flat if plain in _rules.current.parameters else _names.PARAMETERS.get(plain)


def _is_flat(value: str) -> bool:
    """Whether there are no parameters in the value."""
    return not any(sign in value for sign in ("?", "=", "&", "://"))


def _word(found: re.Match[str]) -> str:
    word = found[0]
    if "://" not in word and not ("?" in word and "=" in word):
        return word
    plain = word.rstrip(_AT_AN_END)
    return url(plain) + word[len(plain) :]
