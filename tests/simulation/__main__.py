"""Run schedules of the real steps between fakes, one seed each, until one breaks a promise."""

import argparse
import logging
import resource
import sys
import time
import traceback

from tests.simulation.world import World


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description=__doc__,
        epilog="To run 100,000 schedules in two processes, give each its own seeds:"
        " python -m tests.simulation --schedules 50000, and the same with --seed 50000.",
    )
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--schedules", type=int, default=10_000, help="how many, one seed each (default 10,000)")
    parser.add_argument("--steps", type=int, default=250, help="steps of a schedule (default 250)")
    options = parser.parse_args()
    logging.disable()
    started = time.monotonic()
    for seed in range(options.seed, options.seed + options.schedules):
        try:
            World(seed, options.steps).run()
        except Exception:
            traceback.print_exc()
            sys.exit(
                f"seed {seed} failed after {time.monotonic() - started:.1f} s; --seed {seed} --schedules 1 repeats it"
            )
        done = seed - options.seed + 1
        if done % 1000 == 0:
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(
                f"{done} of {options.schedules} schedules, {time.monotonic() - started:.0f} s, {memory} MiB", flush=True
            )
    seconds = time.monotonic() - started
    print(f"{options.schedules} schedules of {options.steps} steps kept every promise in {seconds:.1f} s")


if __name__ == "__main__":
    main()
