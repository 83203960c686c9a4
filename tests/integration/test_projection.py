"""The projection's statements on MySQL do what `BalancesTable` does, which the unit tests trust in its place."""

from datetime import datetime
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balances import projection
from balances.messages import Balance
from tests.integration.tables import BALANCES, emptied, rows
from tests.stand_ins import BalancesTable

balances = st.builds(
    Balance,
    account_id=st.sampled_from(["a1", "a2", "A1", "á1", "01", "1"]),
    balance=st.decimals(Decimal("-9999999999999.99"), Decimal("9999999999999.99"), places=2),
    sequence=st.none() | st.integers(0, 20) | st.just(2**63 - 1),
    updated_at=st.datetimes(min_value=datetime(1000, 1, 1)),
    creation=st.booleans(),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(balances, max_size=8), max_size=5))
def test_the_table_in_mysql_ends_as_the_one_of_the_unit_tests(balances_database, batches):
    emptied(balances_database, BALANCES)
    expected = BalancesTable()

    for batch in batches:
        projection.apply(expected, batch)
        with balances_database.transaction() as cursor:
            projection.apply(cursor, batch)

    stored = rows(balances_database, "SELECT account_id, balance, sequence, updated_at FROM balances")
    assert {account_id: tuple(rest) for account_id, *rest in stored} == expected.rows
