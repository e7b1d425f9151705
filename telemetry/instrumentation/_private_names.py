"""What a name tells of the value under it: whether it is a secret, somebody's data, or harmless."""

from __future__ import annotations

import re

LONGEST = 64
"""Characters of a name; a longer one is none."""

_SECRET = re.compile(
    r"pass(?:w|phrase|code)|pwd|secret|token|auth(?!or(?!i[sz]))|credential|apikey|accesskey|privatekey|signature"
    r"|session|cookie|csrf|xsrf|jwt|otp|nonce|bearer|hmac|saml|relaystate|ticket|oidc|^dsn$|connectionstring"
)
_PRIVATE = re.compile(
    # secrets that are other things where more is said
    r"^(?:sig|key|code|state|pin)$|clientcert|(?<!con)cert$|clientsdn|baggage|tracestate"
    # people
    r"|mail|phone|mobile|^(?:tel|fax)$|ssn|social|taxid|passport|licen[sc]e|birth|^dob$"
    r"|^(?:first|last|middle|full|given|family|sur|file)?names?$|username|user(?:id|key)?$|principal"
    r"|address|street|zip|postal|card|cv[cv]|iban|account|disposition"
    # their health and business, and what they look for
    r"|patient|member|subscriber|^mrn$|diagnos|claim|customer|^(?:q|query|search|term|keywords?|subject|cursor)$"
)
_ENDS = re.compile(r"__|[\[\].]")
_IDENTIFIER = re.compile(rf"[\w.\[\]~-]{{1,{LONGEST}}}").fullmatch

_NUMBERS = "page pagesize perpage size limit offset skip p o e start end count depth version v year month week day"
_WORDS = "ordering order orderby sort sortby dir direction format lang language locale hl view tab"
_NUMBER, _WORD = re.compile(r"[0-9.,-]{1,32}").fullmatch, re.compile(r"[A-Za-z_.,:-]{1,64}").fullmatch
PARAMETERS = dict.fromkeys(_NUMBERS.split(), _NUMBER) | dict.fromkeys(_WORDS.split(), _WORD)
"""Names of query parameters, as `plain` gives them, by which nobody looks for anybody, and what they look like."""

_CONTENT = frozenset({"body", "payload", "document", "args", "kwargs", "arguments", "messages", "prompt", "completion"})
_URLS = frozenset({"referer", "location", "contentlocation", "origin"})


def plain(name: str) -> str:
    """The name as it is compared: case, `-` and `_` make no difference."""
    return name.lower().replace("-", "").replace("_", "")


def parts(name: str) -> set[str]:
    """A name and those that it is made of, as of a look-up or of a form's field, plain."""
    return {plain(name), *map(plain, _ENDS.split(name))}


def is_identifier(name: str) -> bool:
    """Whether it is a name at all, and nothing that was typed where one belongs."""
    return _IDENTIFIER(name) is not None


def is_secret(part: str) -> bool:
    """Whether a plain name is that of a secret."""
    return _SECRET.search(part) is not None


def is_private(part: str) -> bool:
    """Whether a plain name is that of a secret, of a person's data, or of what somebody looks for."""
    return is_secret(part) or _PRIVATE.search(part) is not None


def is_url(part: str) -> bool:
    """Whether a plain name is that of a URL."""
    return part.endswith(("url", "uri")) or part in _URLS


def is_content(attribute: str) -> bool:
    """Whether an attribute of a span is who somebody is, or what was sent, by the semantic conventions' names."""
    return attribute.startswith(("enduser.", "user.", "session.")) or attribute.rpartition(".")[2] in _CONTENT
