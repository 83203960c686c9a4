"""Ids of requests and events."""

from random import getrandbits


def random_id() -> str:
    """A UUID of version 4. It is no secret: uuid.uuid4() would ask the system, which passes the GIL on."""
    digits = f"{getrandbits(128):032x}"
    variant = f"{8 + (int(digits[16], 16) & 3):x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
