"""dbmate runs again while there is progress: another process may have applied the same file."""

import pytest

from common.migrate import DBMATE_TRIES, MigrationFailed, _run_until_done


class Dbmate:
    """A dbmate that fails so often, while another one records these numbers of files."""

    def __init__(self, failures: int, recorded: list[int]) -> None:
        self.runs = 0
        self.pauses: list[float] = []
        self._failures = failures
        self._recorded = recorded

    def run(self) -> int:
        self.runs += 1
        return 1 if self.runs <= self._failures else 0

    def recorded(self) -> int:
        return self._recorded[min(self.runs, len(self._recorded) - 1)]

    def migrate(self, command: str = "migrate") -> None:
        _run_until_done(self.recorded, command, self.run, self.pauses.append)


def test_a_dbmate_that_succeeds_runs_once() -> None:
    dbmate = Dbmate(failures=0, recorded=[0])

    dbmate.migrate()

    assert (dbmate.runs, dbmate.pauses) == (1, [])


def test_failures_are_retried_as_long_as_another_process_records_files() -> None:
    dbmate = Dbmate(failures=10, recorded=list(range(11)))

    dbmate.migrate()

    assert dbmate.runs == 11


def test_without_progress_the_failure_is_final() -> None:
    dbmate = Dbmate(failures=10, recorded=[0, 1, 1, 1, 1])

    with pytest.raises(MigrationFailed, match=r"dbmate could not migrate \(exit code 1\)"):
        dbmate.migrate()

    assert dbmate.runs == 1 + DBMATE_TRIES  # the first failure had progress


def test_a_rollback_runs_once_because_a_second_one_might_revert_another_migration() -> None:
    dbmate = Dbmate(failures=1, recorded=[5, 6])

    with pytest.raises(MigrationFailed):
        dbmate.migrate("rollback")

    assert dbmate.runs == 1
