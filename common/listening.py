"""Where a service listens, IPv4 or IPv6, and where its own machine reaches it. Needs only the standard library."""

import os
import socket

# Each with the address at which this machine reaches it.
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; `::` takes IPv4 too. Ends the process with one line where that is not possible."""
    host = _without_brackets(host)
    try:
        family = _family(host)
    except OSError as error:
        raise SystemExit(f"HOST {host!r} is no address of this machine: {error.strerror}") from error
    both = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
    try:
        listener = socket.create_server((host, port), family=family, backlog=1024, dualstack_ipv6=both)
    except PermissionError as error:
        raise SystemExit(f"PORT {port} needs more rights than this user has. Choose a PORT above 1023.") from error
    except OSError as error:
        reason = os.strerror(error.errno or 0)  # create_server repeats the address in its own text
        raise SystemExit(
            f"cannot listen on {authority(host, port)}: {reason}. Stop what listens there, or set HOST or PORT."
        ) from error
    listener.setblocking(False)
    return listener


def own_url(host: str, port: int) -> str:
    """The URL at which this machine reaches a service that listens on `host`."""
    host = _without_brackets(host)
    return f"http://{authority(ANY_ADDRESS.get(host, host), port)}"


def authority(host: str, port: int) -> str:
    """host:port, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _family(host: str) -> socket.AddressFamily:
    """IPv4 where the name has both, as `localhost` does."""
    found = {family for family, *_ in socket.getaddrinfo(host or None, None, type=socket.SOCK_STREAM)}
    return socket.AF_INET if socket.AF_INET in found else socket.AF_INET6


def _without_brackets(host: str) -> str:
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host
