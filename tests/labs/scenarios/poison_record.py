"""Lab 6: a record that nobody can read, in front of records that everybody waits for."""

from tests.labs import kafka_log
from tests.labs.naive_system import Damage
from tests.labs.run import ANA, Lab, NaiveRun, Run

QUESTION = "One record in a partition is not valid JSON. What happens to the records behind it?"
POISON = b'{"Name": "BalanceUpdated", "Payload": '
RESTARTS = 3


def naive(run: NaiveRun) -> None:
    bank = run.bank
    wallet = bank.start("wallet")
    run.explain("transfer 1; then another producer sends a record that is not valid JSON; then transfers 2 to 4")
    bank.transfer(wallet, "transfer-1")
    kafka_log.produce(run.system.kafka, bank.topic, b"poison", POISON)
    run.recorder.message("client", "kafka", "another producer: not valid JSON")
    bank.transfer(wallet, "transfer-2", "transfer-3", "transfer-4")
    for attempt in range(1, RESTARTS + 1):
        consumer = bank.start("consumer", "add")
        run.check(f"exit code of the consumer, start {attempt} of {RESTARTS}", consumer.await_end(), 1)
        run.explain(f"  its last line: {consumer.last_error()[:90]}")


def project(run: Run) -> None:
    system = run.system
    run.explain("transfer 1; then another producer sends a record that is not valid JSON; then transfers 2 to 4")
    run.transfer()
    run.await_applied()
    kafka_log.produce(system.kafka, "balances", ANA.encode(), POISON)
    last = [run.transfer() for _ in range(3)][-1]
    run.await_applied()
    run.check("Ana's row has the sequence of transfer 4", run.row(ANA)[1] == last, True)
    parked = system.rows("balances", "SELECT id FROM dead_letters WHERE state = 'parked'")
    run.check("parked records", len(parked), 1)
    run.explain(f"dead-letters list: {system.command('balances', 'dead-letters', 'list')[1]}")
    run.explain(f"dead-letters discard: {system.command('balances', 'dead-letters', 'discard', str(parked[0][0]))[1]}")


LAB = Lab(6, "poison-record", QUESTION, naive, project, Damage(missing=3, wrong_accounts=2))
