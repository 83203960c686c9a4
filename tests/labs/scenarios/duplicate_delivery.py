"""Lab 4: a relay that dies between Kafka's acknowledgement and the delete publishes the event again."""

from tests.labs.naive_system import Damage
from tests.labs.run import Lab, NaiveRun, Run, headers

QUESTION = "The relay publishes an event and is killed before it deletes the outbox row. What does Balances receive?"


def naive(run: NaiveRun) -> None:
    bank = run.bank
    consumer = bank.start("consumer", "add")
    wallet = bank.start("outbox_wallet")
    relay = bank.start("relay", stop_at="published transfer-2")
    run.explain("the client requests transfers 1 and 2; a relay publishes the rows of the outbox")
    bank.transfer(wallet, "transfer-1", "transfer-2")
    relay.await_stop("published transfer-2")
    run.explain("SIGKILL of the relay, after Kafka's acknowledgement and before the delete")
    relay.kill()
    consumer.await_step("stored offset of transfer-2")
    run.explain("the relay starts again, and publishes the row again")
    relay = bank.start("relay")
    relay.await_step("deleted transfer-2")
    bank.transfer(wallet, "transfer-3")
    consumer.await_step("applied transfer-3")


def project(run: Run) -> None:
    system = run.system
    run.explain("the lab takes the relay's lease; the client requests transfer 1")
    system.hold_lease()
    sequence = run.transfer()
    run.explain("the lab locks the outbox rows and gives the lease back: the relay can read and publish, not delete")
    with system.held("wallet", "BEGIN", "SELECT * FROM outbox FOR UPDATE"):
        system.release_lease()
        system.await_statement("wallet", "DELETE outbox")
        run.explain("SIGKILL of Wallet, after Kafka's acknowledgement and before the delete")
        run.process("wallet", "killed")
        system.end_statement("wallet", "DELETE outbox")
        run.check("Kafka holds a record of transfer 1", sequence in run.sequences(), True)
    run.explain("Wallet starts again; when the lease of the dead relay expires, the new relay publishes the row again")
    run.process("wallet", "started")
    run.await_applied()
    events = [headers(each)["event_id"] for each in run.records() if headers(each)["sequence"] == str(sequence)]
    run.explain(f"  records of transfer 1 in Kafka: {len(events)}, with event ids: {len(set(events))}")
    run.check("Kafka holds transfer 1 more than once, as one event", len(events) > len(set(events)) == 1, True)


LAB = Lab(4, "duplicate-delivery", QUESTION, naive, project, Damage(doubled=1, wrong_accounts=2))
