"""Lab 8: events are read again. Who owns the offset: Kafka, or the database of the read model?"""

from kafka import TopicPartition

from tests.eventually import eventually
from tests.labs import kafka_log
from tests.labs.naive_system import Damage
from tests.labs.run import ANA, RESPONSE_SECONDS, Lab, NaiveRun, Run

QUESTION = "An operator sets the consumer group back to offset 0. What do the balances show afterwards?"


def naive(run: NaiveRun) -> None:
    bank = run.bank
    wallet = bank.start("wallet")
    consumer = bank.start("consumer", "add")
    run.explain("the client requests transfers 1 to 3; the consumer applies them")
    bank.transfer(wallet, "transfer-1", "transfer-2", "transfer-3")
    consumer.await_step("stored offset of transfer-3")
    consumer.kill()
    run.explain("an operator sets the group's offset in Kafka to 0; the consumer starts again")
    kafka_log.reset_group(run.system.kafka, "naive", {TopicPartition(bank.topic, 0): 0})
    bank.start("consumer", "add").await_step("applied transfer-3")


def project(run: Run) -> None:
    system = run.system
    run.explain("the client requests transfers 1 to 3")
    before = run.stored_offsets()
    for _ in range(3):
        run.transfer()
    run.await_applied()
    run.explain("an operator stops Balances, and sets the group's offsets in Kafka to 0")
    run.process("balances", "stopped")
    kafka_log.reset_group(system.kafka, "balances", {TopicPartition(*each): 0 for each in before})
    run.explain("Balances starts again; the client requests transfer 4")
    read = run.records_read()
    run.process("balances", "started")
    run.transfer()
    run.await_applied()
    eventually(lambda: run.records_read() > read, RESPONSE_SECONDS)
    run.check("records that Balances has read since its start", run.records_read() - read, 1)
    row = run.row(ANA)
    run.explain("the operator sets the offsets in MySQL back to those before transfer 1")
    run.process("balances", "stopped")
    for (topic, partition), offset in before.items():
        statement = "UPDATE consumer_offsets SET next_offset = %s WHERE topic = %s AND partition_id = %s"
        system.rows("balances", statement, offset, topic, partition)
    read = run.records_read()
    run.process("balances", "started")
    run.await_applied()
    eventually(lambda: run.records_read() - read >= 4, RESPONSE_SECONDS)
    run.check("records that Balances has read again", run.records_read() - read, 4)
    run.check("Ana's row is unchanged", run.row(ANA) == row, True)


LAB = Lab(8, "replay", QUESTION, naive, project, Damage(doubled=3, wrong_accounts=2))
