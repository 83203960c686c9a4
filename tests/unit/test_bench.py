"""The arithmetic of the bench: ratios, targets, percentiles, the table, and the output of wrk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench.benchmark import Benchmark, Step
from tests.bench.load import parse
from tests.bench.python_client import Outcome
from tests.bench.report import Row, Run, as_data, percentile, results, table
from tests.bench.workload import Workload

RUNS = [{"ours": 80.0, "theirs": 100.0}, {"ours": 45.0, "theirs": 50.0}, {"ours": 60.0, "theirs": 120.0}]

WRK_OUTPUT = """Running 3s test @ http://127.0.0.1:3003
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.64ms    1.24ms  45.44ms   97.43%
    Req/Sec     2.43k   178.41     2.62k    86.67%
  7254 requests in 3.01s, 1.31MB read
Requests/sec:   2417.35
{"requests": 6030, "microseconds": 3015000, "failed": 7, "p50_microseconds": 6583, "p99_microseconds": 11250}
"""


def test_a_ratio_compares_the_two_values_of_one_run() -> None:
    (found,) = results([Row("GET", "req/s", "ours", "theirs")], RUNS)

    assert found.ratios == [0.8, 0.9, 0.5]


@pytest.mark.parametrize(
    ("target", "met"),
    [
        ({"at_least": 0.8}, True),
        ({"at_least": 0.81}, False),
        ({"at_most": 0.8}, True),
        ({"at_most": 0.79}, False),
        ({"at_least": 0.8, "every_run": True}, False),
        ({"at_least": 0.5, "every_run": True}, True),
        ({"at_most": 0.9, "every_run": True}, True),
        ({"at_most": 0.89, "every_run": True}, False),
        ({}, None),
    ],
)
def test_the_median_ratio_meets_the_target_or_every_one(target: dict[str, float], met: bool | None) -> None:
    (found,) = results([Row("GET", "req/s", "ours", "theirs", **target)], RUNS)  # type: ignore[arg-type]

    assert found.met is met


def test_without_a_reference_the_target_limits_the_value_itself() -> None:
    rows = [Row("failed", "responses", "ours", at_most=limit, every_run=True) for limit in (80, 79)]

    assert [each.met for each in results(rows, RUNS)] == [True, False]


def test_a_reference_of_zero_misses_the_target() -> None:
    (found,) = results([Row("GET", "req/s", "ours", "theirs", at_least=0.1)], [{"ours": 5.0, "theirs": 0.0}])

    assert found.met is False


def test_the_table_has_medians_and_the_lowest_and_highest_values() -> None:
    rows = [
        Row("GET", "req/s", "ours", "theirs", "minimal app", at_least=0.85),
        Row("failed", "responses", "none", at_most=0),
        Row("p99", "ms", "slowest"),
    ]
    runs = [{**run, "none": 0.0, "slowest": 1234.5} for run in RUNS]

    assert table(results(rows, runs)).splitlines() == [
        "| metric | product             | reference                          | ratio            | target  | met |",
        "| ------ | ------------------- | ---------------------------------- | ---------------- | ------- | --- |",
        "| GET    | 60 req/s (45 to 80) | minimal app: 100 req/s (50 to 120) | 0.8 (0.5 to 0.9) | >= 0.85 | NO  |",
        "| failed | 0 responses         |                                    |                  | <= 0    | yes |",
        "| p99    | 1,234 ms            |                                    |                  |         |     |",
    ]


def test_the_data_for_json_has_every_run() -> None:
    (data,) = as_data(results([Row("GET", "req/s", "ours", "theirs", at_least=0.85)], RUNS))

    assert (data["metric"], data["at_least"], data["met"]) == ("GET", 0.85, False)
    assert (data["product"], data["reference"]) == ([80, 45, 60], [100, 50, 120])


@pytest.mark.parametrize(("percent", "value"), [(50, 50.5), (99, 99.01)])
def test_a_percentile_is_interpolated(percent: int, value: float) -> None:
    assert percentile([float(each) for each in range(100, 0, -1)], percent) == pytest.approx(value)


def test_a_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.0], 99) == 7


def test_the_summary_in_the_output_of_wrk_is_read() -> None:
    load = parse(WRK_OUTPUT)

    assert (load.per_second, load.p50_ms, load.p99_ms, load.failed) == (2000, 6.583, 11.25, 7)
    assert load.values("get") == {"get": 2000, "get_p50": 6.583, "get_p99": 11.25, "get_failed": 7}


@pytest.mark.parametrize("output", ["", "unable to connect to 127.0.0.1:3003 Connection refused\n", 2 * WRK_OUTPUT])
def test_an_output_without_exactly_one_summary_is_an_error(output: str) -> None:
    with pytest.raises(ValueError, match="no summary"):
        parse(output)


def test_the_python_client_counts_error_statuses_as_failed() -> None:
    outcome = Outcome(seconds=2)
    outcome.latencies += [0.1] * 6
    outcome.statuses.update({200: 2, 201: 1, 404: 1, 503: 2})

    assert (outcome.failed, outcome.per_second) == (3, 3)


def test_a_transfer_of_the_load_is_between_two_accounts() -> None:
    requests = {Workload("POST", 2).draw() for _ in range(50)}

    ids = [f"b0000000-0000-4000-8000-00000000000{number}".encode() for number in (0, 1)]
    assert len(requests) == 2
    assert all(request.count(account) == 1 for request in requests for account in ids)


def test_a_run_measures_product_and_references_in_turn() -> None:
    assert list(_benchmark().run(3)) == ["get", "minimal", "post"]
    assert list(_benchmark().run(3, product_only=True)) == ["get", "post"]


def test_the_estimate_counts_every_run_of_every_step() -> None:
    assert _benchmark().estimate_seconds(runs=5, seconds=3) == 10 + 5 * ((1 + 2 * 3) + 3 + 3)


def _benchmark() -> Benchmark:
    @contextmanager
    def prepare(root: Path) -> Iterator[None]:
        yield

    def step(name: str, *, is_product: bool = True, fixed_seconds: float = 0, times: float = 1) -> Step:
        def measure(seconds: int) -> Run:
            return {name: float(seconds)}

        return Step(measure, is_product, fixed_seconds, times)

    steps = [step("get", fixed_seconds=1, times=2), step("minimal", is_product=False), step("post")]
    return Benchmark("a test", prepare, steps, [], prepare_seconds=10)
