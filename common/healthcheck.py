"""The health check of a container: `python -m common.healthcheck` ends with 0 when its service is ready.

HOST and PORT are those of the service. The module imports little, because it runs every three seconds.
"""

import os
import urllib.error
import urllib.request

from common.listening import own_url

TIMEOUT_SECONDS = 4


def main() -> None:
    url = own_url(os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])) + "/ready"
    try:
        # Without the proxy that the environment may name: it reaches other networks, not this service.
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError as error:
        raise SystemExit(error.read().decode("utf-8", "replace")) from error
    except OSError as error:
        raise SystemExit(f"{url} does not answer: {error}") from error


if __name__ == "__main__":
    main()
