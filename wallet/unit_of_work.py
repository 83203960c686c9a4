"""One database transaction with its repositories and its outbox."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from common.events.idempotency import IdempotencyKeys
from common.events.outbox import Outbox
from common.mysql import Cursor, Database, read_clock
from wallet.domain import Event
from wallet.messages import to_message
from wallet.repositories import AccountRepository, ClientRepository, TransactionRepository


class UnitOfWork:
    """The repositories and the outbox of one transaction. `sequence` is that of the published events, None for none."""

    def __init__(self, cursor: Cursor, request_id: str | None = None, traceparent: str | None = None) -> None:
        self.clients = ClientRepository(cursor)
        self.accounts = AccountRepository(cursor)
        self.transactions = TransactionRepository(cursor)
        self.idempotency_keys = IdempotencyKeys(cursor)
        self.sequence: int | None = None
        self._cursor = cursor
        self._request_id, self._traceparent = request_id, traceparent

    def publish(self, events: Sequence[Event]) -> None:
        """Add the events to the outbox: they are published if this unit of work commits, and only then."""
        Outbox(self._cursor).add([to_message(event) for event in events], self._request_id, self._traceparent)
        self.sequence = events[-1].sequence

    def clock(self) -> int:
        """The database's clock, in microseconds since 1970."""
        return read_clock(self._cursor)


@contextmanager
def unit_of_work(
    database: Database, request_id: str | None = None, traceparent: str | None = None
) -> Iterator[UnitOfWork]:
    """Open a transaction; commit on a clean exit, roll back on any exception. Raises as Database.transaction."""
    with database.transaction() as cursor:
        yield UnitOfWork(cursor, request_id, traceparent)
