"""Lab 5: three partitions, and an older event that arrives after a newer one."""

import re

from tests.eventually import eventually
from tests.labs import kafka_log
from tests.labs.naive_system import Damage
from tests.labs.run import ACCOUNTS, BRUNO, RESPONSE_SECONDS, Lab, NaiveRun, Run, headers

QUESTION = (
    "Three partitions, and one of two consumers is slow. Which balance remains: the newest, or the last to arrive?"
)


def naive(run: NaiveRun) -> None:
    bank = run.bank
    wallet = bank.start("wallet")
    run.explain("the client requests transfers 1 to 3; the key is the id of the transfer")
    bank.transfer(wallet, "transfer-1", "transfer-2", "transfer-3")
    since = dict.fromkeys(kafka_log.ends(run.system.kafka, [bank.topic]), 0)
    partitions = [record.partition for record in kafka_log.records(run.system.kafka, since)]
    slow, last = partitions[0], partitions[-1]
    run.check("transfers 1 and 3 are in different partitions", slow != last, True)
    run.explain("a fast consumer applies the partition of transfer 3")
    bank.start("consumer", "overwrite", str(last)).await_step("applied transfer-3")
    run.explain(f"the read model shows {bank.balances()}; a slow consumer now applies the partition of transfer 1")
    bank.start("consumer", "overwrite", str(slow)).await_step("applied transfer-1")


def project(run: Run) -> None:
    run.explain("a second Balances starts, and the group shares three partitions of the topic balances")
    run.process("balances-2", "started")
    eventually(lambda: _partitions(run, "balances-2"), RESPONSE_SECONDS)
    run.explain("six accounts transfer once each; the key decides the partition")
    for payer in ACCOUNTS[2:8]:
        run.transfer(payer, BRUNO)
    run.await_applied()
    payers = {headers(each)["request_id"]: each for each in run.records() if each.topic == "balances"}
    where = {record.key.decode(): record.partition for record in payers.values()}
    taken = _partitions(run, "balances-2")
    slow = next(account for account, partition in where.items() if partition in taken)
    fast = next(account for account, partition in where.items() if partition not in taken)
    run.explain("SIGSTOP of the second Balances; one transfer in its partition, then one in another partition")
    run.process("balances-2", "paused")
    older = run.transfer(slow, BRUNO)
    newer = run.transfer(fast, BRUNO)
    eventually(lambda: run.row(BRUNO)[1] == newer, RESPONSE_SECONDS)
    before = run.row(BRUNO)
    run.check("Bruno's row has the newer sequence, before the older event is applied", run.row(slow)[1] < older, True)
    run.explain("SIGCONT: the older event arrives after the newer one")
    run.process("balances-2", "resumed")
    run.await_applied()
    run.check("the payer's row has the older sequence", run.row(slow)[1] == older, True)
    run.check("Bruno's row is unchanged", run.row(BRUNO) == before, True)
    run.process("balances-2", "stopped")


def _partitions(run: Run, name: str) -> set[int]:
    """The partitions of the topic balances that the instance has taken."""
    named = (each for line in run.log_lines(name) for each in line.get("partitions", []))
    return {int(match[1]) for each in named if (match := re.fullmatch(r"balances\[(\d+)\]", each))}


LAB = Lab(5, "out-of-order", QUESTION, naive, project, Damage(missing=2, wrong_accounts=2), partitions=3)
