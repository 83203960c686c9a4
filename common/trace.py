"""W3C Trace Context: the `traceparent` of a request, passed on unchanged, so that a trace continues after Kafka."""

import re
from typing import Any

# Version, trace id, id of the parent, flags. No version is ff; no id is zero.
_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII
)


def traceparent(environ: dict[str, Any]) -> str | None:
    """The request's `traceparent`, or None if the request has none or an invalid one, as the specification requires.

    A later version may add fields. Those are not passed on: the fields of version 00 are sent as version 00.
    """
    value = environ.get("HTTP_TRACEPARENT", "")
    match = _TRACEPARENT.fullmatch(value)
    if not match or (match[1] == "00" and match[2]):
        return None
    return f"00{value[2:55]}"
