"""What a wallet is: clients, their accounts, transfers between them, and what each of these announces. No I/O."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

CENT = Decimal("0.01")
MAX_BALANCE = Decimal("9999999999999.99")  # 13 digits before the point, 2 after it: DECIMAL(15,2)
TEXT_CHARACTERS = 255


class ClientNotFound(Exception):
    def __init__(self, client_id):
        super().__init__(f"client {client_id[:TEXT_CHARACTERS]} not found")


class AccountNotFound(Exception):
    def __init__(self, account_id):
        super().__init__(f"account {account_id[:TEXT_CHARACTERS]} not found")


class TransactionNotFound(Exception):
    def __init__(self, transaction_id):
        super().__init__(f"transaction {transaction_id[:TEXT_CHARACTERS]} not found")


class InvalidClient(Exception):
    def __init__(self, field):
        super().__init__(f"{field} must have 1 to {TEXT_CHARACTERS} characters")


class InvalidAmount(Exception):
    pass


class InsufficientFunds(Exception):
    def __init__(self, account, amount):
        super().__init__(f"account {account.id} holds {account.balance}, less than {amount.quantize(CENT)}")


class SameAccount(Exception):
    def __init__(self, account):
        super().__init__(f"account {account.id} cannot transfer to itself")


class BalanceLimitExceeded(Exception):
    def __init__(self, account):
        super().__init__(f"account {account.id} would hold more than {MAX_BALANCE}")


@dataclass(frozen=True)
class Client:
    id: str
    name: str
    email: str
    created_at: datetime


@dataclass
class Account:
    id: str
    client_id: str
    balance: Decimal
    created_at: datetime


@dataclass(frozen=True)
class Transaction:
    id: str
    account_id_from: str
    account_id_to: str
    amount: Decimal
    created_at: datetime


@dataclass(frozen=True)
class AccountCreated:
    account_id: str
    client_id: str
    balance: Decimal


@dataclass(frozen=True)
class TransactionCreated:
    id: str
    account_id_from: str
    account_id_to: str
    amount: Decimal


@dataclass(frozen=True)
class BalanceUpdated:
    account_id_from: str
    account_id_to: str
    balance_account_id_from: Decimal
    balance_account_id_to: Decimal


@dataclass(frozen=True)
class BalanceAnnounced:
    account_id: str
    balance: Decimal


def new_client(client_id, name, email, now):
    for field, value in (("name", name), ("email", email)):
        if not 1 <= len(value) <= TEXT_CHARACTERS or value.isspace():
            raise InvalidClient(field)
    return Client(client_id, name, email, now)


def open_account(account_id, client, now):
    """Give the account and the events its opening raises."""
    account = Account(account_id, client.id, Decimal(0), now)
    return account, [AccountCreated(account.id, client.id, account.balance)]


def transfer(transaction_id, source, target, amount, now):
    """Move `amount` from `source` to `target`; give the transaction and the events it raises."""
    check_amount(amount)
    if source.id == target.id:
        raise SameAccount(source)
    if source.balance < amount:
        raise InsufficientFunds(source, amount)
    if target.balance + amount > MAX_BALANCE:
        raise BalanceLimitExceeded(target)
    source.balance -= amount
    target.balance += amount
    return Transaction(transaction_id, source.id, target.id, amount, now), [
        # First, so that the id MySQL reports for the insert is this event's: it becomes the answer's Sequence.
        BalanceUpdated(source.id, target.id, source.balance, target.balance),
        TransactionCreated(transaction_id, source.id, target.id, amount),
    ]


def check_amount(amount):
    """Raise InvalidAmount unless 0.01 <= amount <= MAX_BALANCE in whole cents; any finite Decimal is judged at once."""
    if amount <= 0:
        raise InvalidAmount("amount must be greater than zero")
    # The place of the first digit bounds the number before anything is computed with it: 1e400000 is a Decimal too.
    if amount.adjusted() > MAX_BALANCE.adjusted():
        raise InvalidAmount("amount has more than 13 digits before the point")
    if amount.adjusted() < CENT.adjusted() or amount % CENT:
        raise InvalidAmount("amount is finer than cents")
