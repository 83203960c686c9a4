"""One transfer on the tables of the naive wallet, for both wallets."""

from typing import Any

TABLES = (
    "accounts (id VARCHAR(20) PRIMARY KEY, balance INT NOT NULL)",
    "transfers (id VARCHAR(40) PRIMARY KEY, amount INT NOT NULL)",
    "outbox (id INT AUTO_INCREMENT PRIMARY KEY, event_key VARCHAR(40) NOT NULL, payload TEXT NOT NULL)",
    "balances (id VARCHAR(20) PRIMARY KEY, balance INT NOT NULL)",
)


def transfer(cursor: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Move the amount, without a commit; give the event: the amount, and both balances after it."""
    amount = request["amount"]
    cursor.execute("INSERT INTO transfers VALUES (%s, %s)", (request["id"], amount))
    cursor.execute("UPDATE accounts SET balance = balance - %s WHERE id = %s", (amount, request["from"]))
    cursor.execute("UPDATE accounts SET balance = balance + %s WHERE id = %s", (amount, request["to"]))
    cursor.execute("SELECT id, balance FROM accounts")
    balances = dict(cursor.fetchall())
    return {**request, "balance_from": balances[request["from"]], "balance_to": balances[request["to"]]}
