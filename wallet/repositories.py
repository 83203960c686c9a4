"""The SQL of the wallet, one class a table. Each works inside the transaction its cursor belongs to.

What writes is held back and goes out together, with the COMMIT at the latest: a transfer takes two round trips.
"""

import json

import pymysql

from common.mysql import LOCK_WAIT_TIMEOUT, NOWAIT_REFUSED
from wallet.domain import Account, AccountNotFound, Client, ClientNotFound, Transaction, TransactionNotFound


class ClientRepository:
    def __init__(self, cursor):
        self._cursor = cursor

    def add(self, client):
        self._cursor.later(
            "INSERT INTO clients (id, name, email, created_at) VALUES (%s, %s, %s, %s)",
            (client.id, client.name, client.email, client.created_at),
        )

    def find(self, client_id):
        self._cursor.execute("SELECT id, name, email, created_at FROM clients WHERE id = %s", (client_id,))
        return _exactly(client_id, self._cursor.fetchone(), Client, ClientNotFound)


class AccountRepository:
    def __init__(self, cursor):
        self._cursor = cursor

    def add(self, account):
        self._cursor.later(
            "INSERT INTO accounts (id, client_id, balance, created_at) VALUES (%s, %s, %s, %s)",
            (account.id, account.client_id, account.balance, account.created_at),
        )

    def find(self, account_id):
        self._cursor.execute("SELECT id, client_id, balance, created_at FROM accounts WHERE id = %s", (account_id,))
        return _exactly(account_id, self._cursor.fetchone(), Account, AccountNotFound)

    def page(self, after, limit):
        """At most `limit` accounts whose ids come after `after`, in id order."""
        self._cursor.execute(
            "SELECT id, client_id, balance, created_at FROM accounts WHERE id > %s ORDER BY id LIMIT %s", (after, limit)
        )
        return [Account(*row) for row in self._cursor.fetchall()]

    def lock(self, *account_ids):
        """Read the accounts and hold their rows until the transaction ends.

        Rows are locked in id order, so that two opposite transfers cannot deadlock. The index is named because on a
        small table MySQL prefers to scan, and would then wait for the rows of strangers too.
        """
        marks = ", ".join(["%s"] * len(account_ids))
        self._cursor.execute(
            "SELECT id, client_id, balance, created_at FROM accounts FORCE INDEX (PRIMARY)"
            f" WHERE id IN ({marks}) ORDER BY id FOR UPDATE",
            account_ids,
        )
        found = {row[0]: Account(*row) for row in self._cursor.fetchall()}
        for account_id in account_ids:
            if account_id not in found:
                raise AccountNotFound(account_id)
        return [found[account_id] for account_id in account_ids]

    def save_balances(self, source, target):
        """Both in one statement."""
        self._cursor.later(
            "UPDATE accounts SET balance = CASE id WHEN %s THEN %s ELSE %s END WHERE id IN (%s, %s)",
            (source.id, source.balance, target.balance, source.id, target.id),
        )


class TransactionRepository:
    def __init__(self, cursor):
        self._cursor = cursor

    def add(self, transaction):
        self._cursor.later(
            "INSERT INTO transactions (id, account_id_from, account_id_to, amount, created_at)"
            " VALUES (%s, %s, %s, %s, %s)",
            (
                transaction.id,
                transaction.account_id_from,
                transaction.account_id_to,
                transaction.amount,
                transaction.created_at,
            ),
        )

    def find(self, transaction_id):
        self._cursor.execute(
            "SELECT id, account_id_from, account_id_to, amount, created_at FROM transactions WHERE id = %s",
            (transaction_id,),
        )
        return _exactly(transaction_id, self._cursor.fetchone(), Transaction, TransactionNotFound)


class Outbox:
    """Announcements waiting for Kafka. Their ids, drawn while the account rows are locked, are the sequence."""

    COUNTED = 10_000

    def __init__(self, cursor):
        self._cursor = cursor

    def add(self, messages, request_id):
        """Append the messages, with what is sent next, COMMIT at the latest."""
        rows = ", ".join(["(%s, %s, %s, %s)"] * len(messages))
        self._cursor.later(
            f"INSERT INTO outbox (topic, message_key, payload, request_id) VALUES {rows}",
            [value for message in messages for value in (*message, request_id)],
        )

    def first_id(self):
        """The id of the first message last appended, None if there is none. Sends what is held back."""
        self._cursor.send_held()
        return self._cursor.inserted_id

    def oldest(self, limit):
        """Rows of (id, topic, key, payload, request id, created at), oldest first.

        Always from the very start: a row whose id was drawn early may commit late. No lock: the INSERTs of others
        would wait for it.
        """
        self._cursor.execute(
            "SELECT id, topic, message_key, payload, request_id, created_at FROM outbox ORDER BY id LIMIT %s", (limit,)
        )
        return self._cursor.fetchall()

    def remove(self, ids):
        """Delete exactly these rows, by primary key (never a range: a row committed meanwhile would go with it)."""
        # A join, because MariaDB scans a small table for `id IN (…)`, whatever index is forced upon it, and would then
        # wait for the rows that open transactions have inserted.
        self._cursor.execute(
            "DELETE outbox FROM JSON_TABLE(%s, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS acknowledged"
            " STRAIGHT_JOIN outbox ON outbox.id = acknowledged.id",
            (json.dumps(ids),),
        )

    def depth(self):
        """Give (rows waiting, counted up to COUNTED, seconds the oldest has waited)."""
        self._cursor.execute(f"SELECT COUNT(*) FROM (SELECT id FROM outbox LIMIT {self.COUNTED}) AS counted")
        (rows,) = self._cursor.fetchone()
        self._cursor.execute(
            "SELECT TIMESTAMPDIFF(MICROSECOND, created_at, UTC_TIMESTAMP(6)) / 1000000 FROM outbox ORDER BY id LIMIT 1"
        )
        oldest = self._cursor.fetchone()
        return rows, round(float(oldest[0]), 3) if oldest else 0.0

    def raise_sequence(self, to):
        """Let the next id be above `to`, microseconds since 1970, unless it is already.

        A row with that id, never committed, moves InnoDB's counter, which is not rolled back with it. ALTER TABLE
        would need a right that the service has no other use for.
        """
        inserted = self._cursor.execute(
            "INSERT IGNORE INTO outbox (id, topic, message_key, payload) VALUES (%s, '', '', '')", (to,)
        )
        if inserted:
            self.remove([to])


class StillInProgress(Exception):
    def __init__(self):
        super().__init__("a request with this Idempotency-Key is still in progress")


class KeyReused(Exception):
    def __init__(self):
        super().__init__("this Idempotency-Key was used with another body")


class Answers:
    """The answers already given, by Idempotency-Key: kept in the transaction whose outcome they tell."""

    def __init__(self, cursor):
        self._cursor = cursor

    def find(self, scope, key, body_hash):
        """The (status, headers, body) given before, or None; holds the key against others until the transaction ends.

        Raises KeyReused for another body, StillInProgress while another transaction holds the key.
        """
        try:
            self._cursor.execute(f"{self._SELECT} FOR UPDATE NOWAIT", (scope, key))
        except pymysql.OperationalError as error:
            if error.args[0] in (LOCK_WAIT_TIMEOUT, NOWAIT_REFUSED):
                raise StillInProgress from error
            raise
        if (row := self._cursor.fetchone()) is None:
            try:
                self._cursor.execute(
                    "INSERT INTO idempotency_keys (scope, idempotency_key, body_sha256) VALUES (%s, %s, %s)",
                    (scope, key, body_hash),
                )
            except pymysql.IntegrityError:  # another was a moment faster, and has committed by now
                self._cursor.execute(f"{self._SELECT} FOR UPDATE", (scope, key))
                row = self._cursor.fetchone()
            else:
                return None
        known_hash, *answer = row
        if known_hash != body_hash:
            raise KeyReused
        return answer

    def keep(self, scope, key, status, headers, body):
        self._cursor.later(
            "UPDATE idempotency_keys SET status = %s, headers = %s, body = %s"
            " WHERE scope = %s AND idempotency_key = %s",
            (status, headers, body, scope, key),
        )

    def forget_expired(self, limit):
        """Delete at most `limit` answers older than a day; give how many went."""
        return self._cursor.execute(
            "DELETE FROM idempotency_keys WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL 1 DAY"
            " ORDER BY created_at LIMIT %s",
            (limit,),
        )

    _SELECT = (
        "SELECT body_sha256, status, headers, body FROM idempotency_keys WHERE scope = %s AND idempotency_key = %s"
    )


def _exactly(asked, row, kind, not_found):
    """MySQL pads with spaces before it compares: a row whose id is not the one asked for is not found."""
    if row is None or row[0] != asked:
        raise not_found(asked)
    return kind(*row)
