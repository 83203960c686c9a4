"""The plans of the fault suite: drawn from a seed, written as text and read back."""

import pytest

from tests.faults.plan import Fault, Plan, drawn, parsed


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_is_read_back_from_its_text(seed: int) -> None:
    assert str(parsed(str(drawn(seed)))) == str(drawn(seed))


def test_a_plan_without_a_kind_of_fault_keeps_all_others() -> None:
    kill, read_only = Fault(1.0, "kill", "wallet", 0.5), Fault(2.0, "read-only", "mysql", 3.0)

    assert Plan(1, 2, [kill, read_only]).without("read-only") == Plan(1, 2, [kill])
