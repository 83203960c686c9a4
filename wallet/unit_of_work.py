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
        """Announce the events when, and only when, this unit of work commits."""
        self.outbox.add([to_message(event) for event in events], self._request_id)

    def sequence(self):
        """Under which the first of the published events goes out, None where nothing was published.

        To be asked once all is done, best after the COMMIT: before it, it costs a round trip.
        """
        return self.outbox.first_id()


@contextmanager
def unit_of_work(database, request_id=None):
    with database.transaction() as cursor:
        yield UnitOfWork(cursor, request_id)
