"""The SQL of Wallet, one class for each table. Each works in the transaction of its cursor.

Writes are queued and sent together, at the latest with the COMMIT: a transfer takes two round trips. Each `find` raises
ClientNotFound, AccountNotFound or TransactionNotFound.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from common.mysql import CLOCK, Cursor
from wallet.domain import Account, AccountNotFound, Client, ClientNotFound, Transaction, TransactionNotFound

T = TypeVar("T")

# Accounts first: if MySQL began with the clients, it would read and sort all of them for a few.
_WITH_CLIENT = (
    "SELECT accounts.id, client_id, balance, accounts.created_at, sequence, clients.name"
    " FROM accounts FORCE INDEX (PRIMARY) STRAIGHT_JOIN clients FORCE INDEX (PRIMARY) ON clients.id = client_id"
)


class ClientRepository:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def add(self, client: Client) -> None:
        self._cursor.queue(
            "INSERT INTO clients (id, name, email, created_at) VALUES (%s, %s, %s, %s)",
            (client.id, client.name, client.email, client.created_at),
        )

    def find(self, client_id: str) -> Client:
        self._cursor.execute("SELECT id, name, email, created_at FROM clients WHERE id = %s", (client_id,))
        return _exactly(client_id, self._cursor.fetchone(), Client, ClientNotFound)


class AccountRepository:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def add(self, account: Account) -> None:
        self._cursor.queue(
            "INSERT INTO accounts (id, client_id, balance, created_at, sequence) VALUES (%s, %s, %s, %s, %s)",
            (account.id, account.client_id, account.balance, account.created_at, account.sequence),
        )

    def find(self, account_id: str) -> Account:
        self._cursor.execute(
            "SELECT id, client_id, balance, created_at, sequence FROM accounts WHERE id = %s", (account_id,)
        )
        return _exactly(account_id, self._cursor.fetchone(), Account, AccountNotFound)

    def list_after(self, after: str, limit: int) -> list[Account]:
        """At most `limit` accounts with an id higher than `after`, in id order."""
        self._cursor.execute(
            "SELECT id, client_id, balance, created_at, sequence FROM accounts WHERE id > %s ORDER BY id LIMIT %s",
            (after, limit),
        )
        return [Account(*row) for row in self._cursor.fetchall()]

    def find_with_client(self, account_id: str) -> tuple[Account, str]:
        """The account and the name of its client."""
        self._cursor.execute(f"{_WITH_CLIENT} WHERE accounts.id = %s", (account_id,))
        return _exactly(account_id, self._cursor.fetchone(), _with_client, AccountNotFound)

    def list_after_with_clients(self, after: str, limit: int) -> list[tuple[Account, str]]:
        """As `list_after`, each account with the name of its client."""
        self._cursor.execute(f"{_WITH_CLIENT} WHERE accounts.id > %s ORDER BY accounts.id LIMIT %s", (after, limit))
        return [_with_client(*row) for row in self._cursor.fetchall()]

    def lock(self, *account_ids: str) -> tuple[list[Account], int]:
        """Lock the accounts until the transaction ends; return them and the database's clock (microseconds since 1970).

        Rows are locked in id order, so that two opposite transfers cannot deadlock. The index is forced because MySQL
        scans a small table, and would then wait for rows that other transactions have locked. Raises AccountNotFound.
        """
        marks = ", ".join(["%s"] * len(account_ids))
        self._cursor.execute(
            f"SELECT id, client_id, balance, created_at, sequence, {CLOCK} FROM accounts FORCE INDEX (PRIMARY)"
            f" WHERE id IN ({marks}) ORDER BY id FOR UPDATE",
            account_ids,
        )
        rows = self._cursor.fetchall()
        found = {row[0]: Account(*row[:-1]) for row in rows}
        for account_id in account_ids:
            if account_id not in found:
                raise AccountNotFound(account_id)
        return [found[account_id] for account_id in account_ids], rows[0][-1]

    def save_balances(self, source: Account, target: Account) -> None:
        """Save both balances and their common sequence in one statement."""
        self._cursor.queue(
            "UPDATE accounts SET balance = CASE id WHEN %s THEN %s ELSE %s END, sequence = %s WHERE id IN (%s, %s)",
            (source.id, source.balance, target.balance, source.sequence, source.id, target.id),
        )

    def save_sequence(self, accounts: Sequence[Account]) -> None:
        """Save the common sequence of the accounts."""
        marks = ", ".join(["%s"] * len(accounts))
        self._cursor.queue(
            f"UPDATE accounts SET sequence = %s WHERE id IN ({marks})",
            (accounts[0].sequence, *(account.id for account in accounts)),
        )


class TransactionRepository:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def add(self, transaction: Transaction) -> None:
        self._cursor.queue(
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

    def find(self, transaction_id: str) -> Transaction:
        self._cursor.execute(
            "SELECT id, account_id_from, account_id_to, amount, created_at FROM transactions WHERE id = %s",
            (transaction_id,),
        )
        return _exactly(transaction_id, self._cursor.fetchone(), Transaction, TransactionNotFound)

    def newest_of(self, account: Account, limit: int, after: Transaction | None = None) -> list[Transaction]:
        """At most `limit` transactions that name the account, newest first; with `after`, only older ones.

        Each branch reads its first rows in the order of its index. One condition on both columns would read and sort
        all transactions of the account.
        """
        older, bounds = "", list[object]()
        if after:
            # The first condition is the range of the index: MySQL does not use a comparison of two pairs for that.
            older = " AND created_at <= %s AND (created_at < %s OR id < %s)"
            bounds = [after.created_at, after.created_at, after.id]
        newest = "ORDER BY created_at DESC, id DESC LIMIT %s"
        branches = [
            "(SELECT id, account_id_from, account_id_to, amount, created_at FROM transactions"
            f" FORCE INDEX ({index}) WHERE {column} = %s{older} {newest})"
            for column, index in (
                ("account_id_from", "transactions_by_sender"),
                ("account_id_to", "transactions_by_receiver"),
            )
        ]
        self._cursor.execute(f"{' UNION '.join(branches)} {newest}", [*[account.id, *bounds, limit] * 2, limit])
        return [Transaction(*row) for row in self._cursor.fetchall()]


def _with_client(*row: Any) -> tuple[Account, str]:
    return Account(*row[:-1]), row[-1]


def _exactly(
    requested: str, row: Sequence[Any] | None, kind: Callable[..., T], not_found: Callable[[str], Exception]
) -> T:
    """MySQL pads with spaces before it compares: a row with another id than the requested one does not count."""
    if row is None or row[0] != requested:
        raise not_found(requested)
    return kind(*row)
