"""Rounds of transfers while things break: `./local.sh faults --rounds 20 --seed 7`; `--named` runs the named tests."""

import argparse
import sys
import time

import pytest

from tests.faults import plan as plans
from tests.faults import root
from tests.faults.chaos import Repeater
from tests.faults.clients import Load, resolve
from tests.faults.quiet import await_quiet
from tests.faults.scene import stage

HEALTHY_SECONDS = 0.5  # of load after the last fault: short, because more load would hide what was lost


def main():
    parser = argparse.ArgumentParser(prog="./local.sh faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next one's is one more")
    parser.add_argument("--round", metavar="PLAN", help="run this plan, as a failing round prints it")
    parser.add_argument("--list", action="store_true", help="print the plans and run nothing")
    parser.add_argument(
        "--named",
        action="store_true",
        help="run the named tests instead; what follows goes to pytest. The long form of the Galera cluster:"
        " --named tests/faults/test_galera.py --runs 10 --run-seconds 30",
    )
    options, rest = parser.parse_known_args()
    if options.named:
        return pytest.main(["-q", "-rs", "-s", "--tb=short", *(rest or ["tests/faults"])])
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")
    seeds = range(options.seed, options.seed + options.rounds)
    chosen = [(seed, plans.parsed(options.round) if options.round else plans.drawn(seed)) for seed in seeds]
    if options.list:
        for seed, plan in chosen:
            print(f"{seed}: {plan}")
        return 0
    return run(chosen)


def run(chosen):
    started, done = time.monotonic(), 0
    if reason := root.missing():
        print(f"skipping the faults of kind read-only: {reason}")
        chosen = [(seed, plan.without("read-only")) for seed, plan in chosen]
    with stage() as (system, accounts, verdict):
        for seed, plan in chosen:
            try:
                print(f"seed {seed}: {play(system, verdict, accounts, seed, plan)}", flush=True)
            except Exception as error:
                print(f"seed {seed}: FAILED after {time.monotonic() - started:.0f} s\n  {plan}\n  {error!r}")
                return 1
            done += 1
    print(f"{done} rounds, {verdict.summary()}, {time.monotonic() - started:.0f} s: every promise kept")
    return 0


def play(system, verdict, accounts, seed, plan):
    """One round; return its line of summary. Raises what was broken."""
    started = time.monotonic()
    system.cast(plan.cast)
    wallets = system.services("wallet")
    load = Load(system, accounts, seed, wallets, system.services("balances")).start()
    repeater = Repeater(system, seed).start()
    plans.carry_out(plan, system, load)
    system.heal()
    system.await_ready(*system.services())
    time.sleep(HEALTHY_SECONDS)
    repeater.stop()
    load.stop()
    resolve(system, load.history, wallets)
    quiet = await_quiet(system)
    verdict.check(load.history, load.readings)
    outcomes = [transfer.outcome for transfer in load.history]
    return (
        f"{len(plan.faults)} faults, {len(outcomes)} asked, {outcomes.count('stored')} stored,"
        f" {outcomes.count('refused')} refused, {sum(transfer.in_doubt for transfer in load.history)} in doubt,"
        f" {repeater.copies} copies, {len(load.readings)} readings,"
        f" quiet after {quiet:.1f} s, {time.monotonic() - started:.1f} s in all"
    )


if __name__ == "__main__":
    sys.exit(main())
