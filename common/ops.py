"""What the verbs of both services share."""

import json
import urllib.error
import urllib.request

ASK_SECONDS = 5


def print_status(port):
    """Print the /ready of the service on this machine; raises SystemExit(1) when it is not ready or not there."""
    url = f"http://127.0.0.1:{port}/ready"
    try:
        with urllib.request.urlopen(url, timeout=ASK_SECONDS) as answer:
            facts, ready = json.load(answer), True
    except urllib.error.HTTPError as error:
        facts, ready = json.load(error), False
    except OSError as error:
        raise SystemExit(f"nothing answers at {url}: {error}") from error
    for name, value in facts.items():
        if isinstance(value, list):
            for entry in value:
                print(f"  {name}: " + ", ".join(f"{key} {each}" for key, each in entry.items()))
        else:
            print(f"{name}: {value}")
    if not ready:
        raise SystemExit(1)
