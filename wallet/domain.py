"""The rules of clients, accounts and transfers, and the events that they raise. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

CENT = Decimal("0.01")
MAX_BALANCE = Decimal("9999999999999.99")  # 13 digits before the point, 2 after it: DECIMAL(15,2)
TEXT_CHARACTERS = 255
# Sequences come from the database's clock, so a wrong clock must be refused. Between the two readings that are
# compared, a transfer can wait for locks and retries for most of a minute.
CLOCK_DIFFERENCE_SECONDS = 300
# Balances refuses a sequence that is more than a day ahead of its own database's clock.
SEQUENCE_AHEAD_SECONDS = 43_200


class ClientNotFound(Exception):
    def __init__(self, client_id: str) -> None:
        super().__init__(f"client {client_id[:TEXT_CHARACTERS]} not found")


class AccountNotFound(Exception):
    def __init__(self, account_id: str) -> None:
        super().__init__(f"account {account_id[:TEXT_CHARACTERS]} not found")


class TransactionNotFound(Exception):
    def __init__(self, transaction_id: str) -> None:
        super().__init__(f"transaction {transaction_id[:TEXT_CHARACTERS]} not found")


class InvalidClient(Exception):
    def __init__(self, field: str) -> None:
        super().__init__(f"{field} must have 1 to {TEXT_CHARACTERS} characters")


class InvalidAmount(Exception):
    pass


class InsufficientFunds(Exception):
    def __init__(self, account: "Account", amount: Decimal) -> None:
        super().__init__(f"account {account.id} holds {account.balance}, less than {amount.quantize(CENT)}")


class SameAccount(Exception):
    def __init__(self, account: "Account") -> None:
        super().__init__(f"account {account.id} cannot transfer to itself")


class BalanceLimitExceeded(Exception):
    def __init__(self, account: "Account") -> None:
        super().__init__(f"account {account.id} would hold more than {MAX_BALANCE}")


class ClocksDiffer(Exception):
    """The clocks of this service and of its database differ: one of them is wrong."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the database's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"
            f" this service's clock; at most {CLOCK_DIFFERENCE_SECONDS} s are allowed: correct the clocks"
        )


class SequenceFromTheFuture(Exception):
    """An account's sequence was taken from a clock that was ahead; Balances would park every event that follows it."""

    def __init__(self, account: "Account") -> None:
        super().__init__(
            f"the sequence of account {account.id} is ahead of the clock;"
            " `entrypoint.sh wallet reset-sequences` corrects it"
        )


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
    sequence: int = 0  # of the last event of this account


@dataclass(frozen=True)
class Transaction:
    id: str
    account_id_from: str
    account_id_to: str
    amount: Decimal
    created_at: datetime


@dataclass(frozen=True)
class AccountCreated:
    sequence: int
    account_id: str
    client_id: str
    balance: Decimal


@dataclass(frozen=True)
class TransactionCreated:
    sequence: int
    id: str
    account_id_from: str
    account_id_to: str
    amount: Decimal


@dataclass(frozen=True)
class BalanceUpdated:
    sequence: int
    account_id_from: str
    account_id_to: str
    balance_account_id_from: Decimal
    balance_account_id_to: Decimal


@dataclass(frozen=True)
class BalanceAnnounced:
    sequence: int
    account_id: str
    balance: Decimal


Event = AccountCreated | TransactionCreated | BalanceUpdated | BalanceAnnounced


def new_client(client_id: str, name: str, email: str, now: datetime) -> Client:
    """Return a new client. Raises InvalidClient."""
    for field, value in (("name", name), ("email", email)):
        if not 1 <= len(value) <= TEXT_CHARACTERS or value.isspace():
            raise InvalidClient(field)
    return Client(client_id, name, email, now)


def open_account(account_id: str, client: Client, clock: int, now: datetime) -> tuple[Account, list[Event]]:
    """Return the new account and its events. `clock`: the database's, in microseconds since 1970.

    Raises ClocksDiffer.
    """
    account = Account(account_id, client.id, Decimal(0), now)
    sequence = _next_sequence(clock, now, account)
    return account, [AccountCreated(sequence, account.id, account.client_id, account.balance)]


def transfer(
    transaction_id: str, source: Account, target: Account, amount: Decimal, clock: int, now: datetime
) -> tuple[Transaction, list[Event]]:
    """Move `amount` from `source` to `target`; return the transaction and its events.

    `clock` is the database's, in microseconds since 1970, read together with the locked accounts. Raises InvalidAmount,
    SameAccount, InsufficientFunds, BalanceLimitExceeded, ClocksDiffer and SequenceFromTheFuture.
    """
    check_amount(amount)
    if source.id == target.id:
        raise SameAccount(source)
    if source.balance < amount:
        raise InsufficientFunds(source, amount)
    if target.balance + amount > MAX_BALANCE:
        raise BalanceLimitExceeded(target)
    sequence = _next_sequence(clock, now, source, target)
    source.balance -= amount
    target.balance += amount
    return Transaction(transaction_id, source.id, target.id, amount, now), [
        BalanceUpdated(sequence, source.id, target.id, source.balance, target.balance),
        TransactionCreated(sequence, transaction_id, source.id, target.id, amount),
    ]


def announce(accounts: Sequence[Account], clock: int, now: datetime) -> list[Event]:
    """Events with the current balances, and a sequence higher than that of every earlier event of these accounts."""
    sequence = _next_sequence(clock, now, *accounts)
    return [BalanceAnnounced(sequence, account.id, account.balance) for account in accounts]


def check_amount(amount: Decimal) -> None:
    """Raise InvalidAmount unless 0.01 <= amount <= MAX_BALANCE with at most 2 decimals. Fast for any finite Decimal."""
    if amount <= 0:
        raise InvalidAmount("amount must be greater than zero")
    # The exponent bounds the number before anything is computed with it: 1e400000 is a Decimal, too.
    if amount.adjusted() > MAX_BALANCE.adjusted():
        raise InvalidAmount("amount has more than 13 digits before the decimal point")
    if amount.adjusted() < CENT.adjusted() or amount % CENT:
        raise InvalidAmount("amount has more than 2 decimals")


def check_clock(clock: int, now: datetime) -> None:
    """Raise ClocksDiffer if the database's clock and this service's (`now`, naive UTC) differ too much."""
    seconds = clock / 1_000_000 - now.replace(tzinfo=UTC).timestamp()
    if abs(seconds) > CLOCK_DIFFERENCE_SECONDS:
        raise ClocksDiffer(seconds)


def _next_sequence(clock: int, now: datetime, *accounts: Account) -> int:
    """Set the next sequence of the accounts, whose rows are locked: higher than that of each earlier event of them."""
    check_clock(clock, now)
    for account in accounts:
        if account.sequence > clock + SEQUENCE_AHEAD_SECONDS * 1_000_000:
            raise SequenceFromTheFuture(account)
    sequence = max(clock, *(account.sequence for account in accounts)) + 1
    for account in accounts:
        account.sequence = sequence
    return sequence
