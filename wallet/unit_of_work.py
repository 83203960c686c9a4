"""One database transaction, seen as the repositories that take part in it."""

from contextlib import contextmanager

from wallet.messages import to_message
from wallet.repositories import AccountRepository, Answers, ClientRepository, Outbox, TransactionRepository


class UnitOfWork:
    def __init__(self, cursor, request_id=None):
        self.clients = ClientRepository(cursor)
        self.accounts = AccountRepository(cursor)
        self.transactions = TransactionRepository(cursor)
        self.outbox = Outbox(cursor)
        self.answers = Answers(cursor)
        self._request_id = request_id

    def publish(self, events):
        """Announce the events when, and only when, this unit of work commits; give the first one's sequence."""
        return self.outbox.add([to_message(event) for event in events], self._request_id)


@contextmanager
def unit_of_work(database, request_id=None):
    with database.transaction() as cursor:
        yield UnitOfWork(cursor, request_id)
