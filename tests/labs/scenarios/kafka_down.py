"""Lab 2: Kafka is unavailable while the client requests transfers."""

from tests.labs import kafka_log
from tests.labs.naive_system import Damage
from tests.labs.run import Lab, NaiveRun, Run

QUESTION = "Kafka is down for a while. Do transfers fail, do their events get lost, or does neither happen?"


def naive(run: NaiveRun) -> None:
    bank = run.bank
    consumer = bank.start("consumer", "add")
    wallet = bank.start("wallet")
    run.explain("the client requests transfer 1")
    bank.transfer(wallet, "transfer-1")
    consumer.await_step("stored offset of transfer-1")
    run.explain("SIGKILL of Kafka; the client requests transfers 2 and 3, and both are answered 200")
    run.process("kafka", "killed")
    bank.transfer(wallet, "transfer-2", "transfer-3")
    wallet.await_step("not published transfer-2", "not published transfer-3")
    run.explain("Kafka starts again")
    run.process("kafka", "started")
    run.check("records in Kafka", sum(kafka_log.ends(run.system.kafka, [bank.topic]).values()), 1)


def project(run: Run) -> None:
    system = run.system
    run.explain("the client requests transfer 1")
    run.transfer()
    run.await_applied()
    run.explain("SIGKILL of Kafka; the client requests transfers 2 to 4, and all are answered 201")
    run.process("kafka", "killed")
    sequences = [run.transfer() for _ in range(3)]
    run.check("Wallet is", system.ready("wallet")["status"], "ready")
    run.check("rows in the outbox, two events for each transfer", run.outbox(), 6)
    run.explain("Kafka starts again, and the relay publishes what the outbox holds")
    run.process("kafka", "started")
    run.await_applied()
    run.check("the last three records are transfers 2 to 4, in order", run.sequences()[-3:] == sequences, True)


LAB = Lab(2, "kafka-down", QUESTION, naive, project, Damage(missing=2, wrong_accounts=2))
