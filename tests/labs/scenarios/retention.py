"""Lab 10: Kafka's retention removes records before Balances has read them."""

from kafka import TopicPartition

from tests.eventually import eventually
from tests.labs import kafka_log
from tests.labs.naive_system import Damage
from tests.labs.run import ANA, RESPONSE_SECONDS, Lab, NaiveRun, Run

QUESTION = "Balances is down for longer than Kafka retains records. Who notices that events are gone?"


def naive(run: NaiveRun) -> None:
    bank = run.bank
    wallet = bank.start("wallet")
    consumer = bank.start("consumer", "add")
    run.explain("the client requests transfers 1 and 2; then the consumer is down")
    bank.transfer(wallet, "transfer-1", "transfer-2")
    consumer.await_step("stored offset of transfer-2")
    consumer.kill()
    bank.transfer(wallet, "transfer-3", "transfer-4", "transfer-5")
    run.explain("retention removes transfers 1 to 4; the consumer starts again")
    kafka_log.remove_records(run.system.kafka, {TopicPartition(bank.topic, 0): 4})
    run.recorder.message("kafka", "kafka", "retention removes 1 to 4")
    bank.start("consumer", "add").await_step("applied transfer-5")


def project(run: Run) -> None:
    system = run.system
    run.explain("Balances is down; the client requests transfers 1 to 3")
    before = run.row(ANA)
    run.process("balances", "stopped")
    last = [run.transfer() for _ in range(3)][-1]
    eventually(lambda: run.outbox() == 0, RESPONSE_SECONDS)
    run.check("records in Kafka", len(run.sequences()), 3)
    run.explain("retention removes all three; Balances starts again")
    ends = kafka_log.ends(system.kafka, ["balances"])
    kafka_log.remove_records(system.kafka, {tp: end for tp, end in ends.items() if end})
    run.recorder.message("kafka", "kafka", "retention removes all")
    run.process("balances", "started")
    run.await_applied()
    run.check("Ana's balance is the old one", run.row(ANA) == before, True)
    run.check("announce_required in /ready of Balances", system.ready("balances")["announce_required"], True)
    run.explain("`wallet announce` publishes the present balances")
    run.check("exit code of the announcement", system.command("wallet", "announce")[0], 0)
    run.await_applied()
    run.check("Ana's row is newer than transfer 3", run.row(ANA)[1] > last, True)
    run.explain(f"reconcile: {system.reconcile()}")
    run.check("announce_required in /ready of Balances", system.ready("balances")["announce_required"], False)


LAB = Lab(10, "retention", QUESTION, naive, project, Damage(missing=2, wrong_accounts=2))
