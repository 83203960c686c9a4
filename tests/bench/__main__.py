"""`./local.sh bench`: every figure that the README quotes, each with the limit it is held against.

Run it with nothing else on the machine. It takes a quarter of an hour; --only picks a part.
"""

import argparse
import sys

from tests.bench import events, freshness, queries, starts, transfers
from tests.bench.figures import as_json, table

BENCHMARKS = {
    "starts": starts.of_balances,
    "freshness": freshness.from_topic_to_get,
    "road": freshness.from_post_to_get,
    "queries": queries.over_a_million_rows,
    "backlog": queries.while_a_backlog_is_read,
    "transfers": transfers.over_100_accounts,
    "hot": transfers.over_two_hot_accounts,
    "events": events.over_1000_accounts,
    "spread": events.over_100000_accounts,
    "query-growth": queries.as_the_table_grows,
    "event-growth": events.as_the_table_grows,
    "transfer-growth": transfers.as_the_tables_grow,
    "outage": transfers.after_an_outage_with_a_million_rows,
    "instances": events.by_three_balances_over_six_partitions,  # last: the topic keeps its six partitions
}


def main():
    parser = argparse.ArgumentParser(prog="local.sh bench", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), metavar="NAME", help=", ".join(BENCHMARKS)
    )
    parser.add_argument("--runs", type=int, default=5, help="runs (or windows of one run) a figure (5)")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    options = parser.parse_args()
    figures = []
    for name in options.only:
        print(f"{name} …", file=sys.stderr, flush=True)
        measured = BENCHMARKS[name](options.runs)
        print(table(measured), file=sys.stderr, flush=True)
        figures += measured
    print(as_json(figures) if options.json else table(figures))


if __name__ == "__main__":
    main()
