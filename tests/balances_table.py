"""A stand-in for the table of Balances, for tests that need no MySQL."""

from balances import projection


class BalancesTable:
    """The effect of the projection's three statements: {account id: (balance, sequence, updated at)}."""

    def __init__(self, rows=()):
        self.rows = dict(rows)
        self.statements = []  # (statement, rows), in their order

    def executemany(self, statement, rows):
        self.statements.append((statement, rows))
        self.upserted = len(rows)
        for account_id, balance, sequence, updated_at in rows:
            known = self.rows.get(account_id)
            if known is None or (statement is projection._NEWER and sequence > known[1]):
                self.rows[account_id] = (balance, sequence, updated_at)
            elif statement is projection._WITHOUT_SEQUENCE:
                self.rows[account_id] = (balance, known[1], updated_at)
