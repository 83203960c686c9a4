"""The use cases of Wallet. The caller opens a unit of work for each, and commits by leaving it.

Ids and times are arguments: a retry after a deadlock creates the same client, account or transaction. Each use case
raises the errors of the domain, and those of the repositories for unknown ids.
"""

from datetime import datetime
from decimal import Decimal

from wallet import domain
from wallet.unit_of_work import UnitOfWork


def create_client(work: UnitOfWork, client_id: str, name: str, email: str, now: datetime) -> domain.Client:
    """Store a new client. Publishes nothing."""
    client = domain.new_client(client_id, name, email, now)
    work.clients.add(client)
    return client


def create_account(work: UnitOfWork, account_id: str, client_id: str, now: datetime) -> domain.Account:
    """Store a new account with a balance of 0, and publish AccountCreated."""
    client = work.clients.find(client_id)
    account, events = domain.open_account(account_id, client, work.clock(), now)
    work.accounts.add(account)
    work.publish(events)
    return account


def create_transaction(
    work: UnitOfWork, transaction_id: str, account_id_from: str, account_id_to: str, amount: Decimal, now: datetime
) -> domain.Transaction:
    """Move the amount between two accounts, store the transaction, and publish its two events."""
    domain.check_amount(amount)  # before a row is locked
    (source, target), clock = work.accounts.lock(account_id_from, account_id_to)
    transaction, events = domain.transfer(transaction_id, source, target, amount, clock, now)
    work.accounts.save_balances(source, target)
    work.transactions.add(transaction)
    work.publish(events)
    return transaction


def announce_balances(work: UnitOfWork, account_ids: list[str], now: datetime) -> None:
    """Publish the current balances of the accounts, for a read model that missed events."""
    accounts, clock = work.accounts.lock(*account_ids)
    work.publish(domain.announce(accounts, clock, now))
    work.accounts.save_sequence(accounts)
