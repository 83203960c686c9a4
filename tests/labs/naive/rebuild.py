"""A naive rebuild of the read model: copy the wallet's balances over, while transfers go on."""

from tests.labs.naive.steps import connect, step

database = connect()
database.autocommit(True)
with database.cursor() as cursor:
    cursor.execute("SELECT id, balance FROM accounts")
    accounts = cursor.fetchall()
    step("read accounts", "mysql", "balances", f"rebuild reads {accounts}")
    cursor.executemany("REPLACE INTO balances VALUES (%s, %s)", accounts)
    step("wrote balances", "balances", "mysql", f"rebuild writes {accounts}")
