"""Lab 9: two relays. One is paused between reading and publishing, and goes on when the other has taken over."""

from tests.eventually import eventually
from tests.labs.naive_system import Damage
from tests.labs.run import ANA, RESPONSE_SECONDS, Lab, NaiveRun, Run

QUESTION = "A relay is paused for longer than its lease, then continues. Can it publish an old event after newer ones?"


def naive(run: NaiveRun) -> None:
    bank = run.bank
    consumer = bank.start("consumer", "overwrite")
    wallet = bank.start("outbox_wallet")
    paused = bank.start("relay", stop_at="read transfer-1")
    run.explain("the client requests transfer 1; a relay reads it and is paused before it publishes")
    bank.transfer(wallet, "transfer-1")
    paused.await_stop("read transfer-1")
    run.explain("a second relay publishes transfers 1 to 3")
    second = bank.start("relay")
    bank.transfer(wallet, "transfer-2", "transfer-3")
    second.await_step("deleted transfer-3")
    consumer.await_step("applied transfer-3")
    run.explain(f"the read model shows {bank.balances()}; the first relay continues: it is a zombie")
    paused.resume()
    consumer.await_step("applied transfer-1", times=2)


def project(run: Run) -> None:
    system = run.system
    run.explain("the lab takes the relay's lease; the client requests transfer 1")
    system.hold_lease()
    first = run.transfer()
    run.explain("the lab locks the table outbox and gives the lease back: the relay of Wallet waits in its SELECT")
    with system.held("wallet", "LOCK TABLES outbox WRITE"):
        system.release_lease()
        system.await_statement("wallet", "FROM outbox ORDER BY id")
        run.explain("SIGSTOP of Wallet, then the lock ends: the rows are on their way to a paused relay")
        run.process("wallet", "paused")
    run.explain("a second Wallet starts; its relay takes the lease when it expires, and publishes transfer 1")
    run.process("wallet-2", "started")
    run.await_applied()
    second = run.transfer(wallet="wallet-2")
    run.await_applied()
    row = run.row(ANA)
    run.check("sequences in Kafka are those of transfers 1 and 2", run.sequences() == [first, second], True)
    run.explain("SIGCONT of Wallet: the zombie publishes the rows that it read before its pause")
    run.process("wallet", "resumed")
    eventually(lambda: len(run.sequences()) == 3, RESPONSE_SECONDS)
    run.check("the third record is transfer 1 again, after transfer 2", run.sequences()[2] == first, True)
    run.await_applied()
    run.check("Ana's row still has the sequence of transfer 2", run.row(ANA) == row and row[1] == second, True)
    run.process("wallet-2", "stopped")


LAB = Lab(9, "zombie-relay", QUESTION, naive, project, Damage(missing=2, wrong_accounts=2))
