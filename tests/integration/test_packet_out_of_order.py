"""A packet of MySQL that arrives out of order: the connection cannot be used any more, and the next one serves."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from common.mysql import Database
from tests.eventually import eventually
from tests.http_api import transfer_body
from tests.integration.service import NOWHERE, Service
from tests.integration.tables import execute


class RenumberingProxy:
    """A port in front of MySQL that renumbers the response to one statement."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._statement: bytes | None = None
        self.renumbered = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def renumber_the_response_to(self, statement: bytes) -> None:
        """Renumber the response to the next statement that contains these bytes."""
        self.renumbered.clear()
        self._statement = statement

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                awaiting = threading.Event()
                for source, target in ((client, server), (server, client)):
                    threading.Thread(
                        target=self._pump, args=(source, target, awaiting, source is client), daemon=True
                    ).start()

    def _pump(self, source: socket.socket, target: socket.socket, awaiting: threading.Event, from_client: bool) -> None:
        with suppress(OSError), source, target:
            while data := source.recv(65_536):
                if from_client and self._statement and self._statement in data:
                    self._statement = None
                    awaiting.set()
                elif not from_client and awaiting.is_set():
                    awaiting.clear()
                    data = data[:3] + bytes([data[3] + 5]) + data[4:]  # the fourth byte of a packet is its number
                    self.renumbered.set()
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(wallet_url: str) -> Iterator[RenumberingProxy]:
    parts = urlsplit(wallet_url)
    proxy = RenumberingProxy((str(parts.hostname), int(parts.port or 3306)))
    yield proxy
    proxy.close()


def through(proxy: RenumberingProxy, url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}").geturl()


def test_a_get_is_unavailable_once_and_the_next_one_is_served(
    proxy: RenumberingProxy, balances_url: str, balances_database: Database, tmp_path: Path
) -> None:
    execute(balances_database, "INSERT INTO balances (account_id, balance) VALUES ('ana', 1)")
    environment = {"DATABASE_URL": through(proxy, balances_url), "KAFKA_BOOTSTRAP_SERVERS": NOWHERE}
    with Service(["-m", "balances"], tmp_path / "log", **environment) as balances:
        url = f"{balances.url}/balances/ana"
        eventually(lambda: requests.get(url, timeout=5).ok)

        proxy.renumber_the_response_to(b"'ana'")
        first = requests.get(url, timeout=5)
        after = [requests.get(url, timeout=5).status_code for _ in range(50)]

        (outage,) = balances.lines("MySQL is unavailable")
    assert proxy.renumbered.is_set()
    assert first.status_code == 503
    assert after == [200] * 50
    assert "Packet sequence number wrong" in outage["reason"]


@pytest.mark.parametrize(
    ("statement", "detail"), [(b"FROM accounts", "not available"), (b";\nCOMMIT", "outcome unknown")]
)
def test_a_transfer_is_unavailable_once_and_the_next_one_is_made(
    proxy: RenumberingProxy,
    wallet_url: str,
    wallet_database: Database,
    tmp_path: Path,
    statement: bytes,
    detail: str,
) -> None:
    execute(wallet_database, "INSERT INTO clients (id, name, email) VALUES ('c', 'Carla', 'c@example.com')")
    execute(wallet_database, "INSERT INTO accounts (id, client_id, balance) VALUES ('a', 'c', 100), ('b', 'c', 100)")
    environment = {"DATABASE_URL": through(proxy, wallet_url), "KAFKA_BOOTSTRAP_SERVERS": NOWHERE}
    with Service(["-m", "wallet"], tmp_path / "log", **environment) as wallet:

        def post() -> requests.Response:
            return requests.post(f"{wallet.url}/transactions", json=transfer_body("a", "b", 1), timeout=10)

        assert post().status_code == 201
        proxy.renumber_the_response_to(statement)
        first = post()
        after = [post().status_code for _ in range(5)]

        (outage,) = wallet.lines("MySQL is unavailable")
    assert proxy.renumbered.is_set()
    assert first.status_code == 503
    assert detail in first.text
    assert after == [201] * 5
    assert "Packet sequence number wrong" in outage["reason"]
