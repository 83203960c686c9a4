"""What can be asked of the wallet. One use case, one unit of work: who calls opens it and, by leaving it, commits.

Ids and times come from outside, so that a transaction that is tried again after a deadlock is the same one.
"""

from wallet import domain


def create_client(work, client_id, name, email, now):
    client = domain.new_client(client_id, name, email, now)
    work.clients.add(client)
    return client


def create_account(work, account_id, client_id, now):
    client = work.clients.find(client_id)
    account, events = domain.open_account(account_id, client, now)
    work.accounts.add(account)
    work.publish(events)
    return account


def create_transaction(work, transaction_id, account_id_from, account_id_to, amount, now):
    domain.check_amount(amount)  # before any row is locked for it
    source, target = work.accounts.lock(account_id_from, account_id_to)
    transaction, events = domain.transfer(transaction_id, source, target, amount, now)
    work.accounts.save_balances(source, target)
    work.transactions.add(transaction)
    work.publish(events)
    return transaction


def announce_balances(work, account_ids):
    """Announce again what the accounts hold, for a reader that missed it."""
    accounts = work.accounts.lock(*account_ids)
    work.publish([domain.BalanceAnnounced(account.id, account.balance) for account in accounts])
