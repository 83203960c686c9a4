"""Lab 1: a wallet that commits and dies before it publishes, against the outbox."""

from tests.labs.naive_system import Damage
from tests.labs.run import Lab, NaiveRun, Run

QUESTION = "A wallet commits a transfer, then publishes its event. It is killed in between. Who publishes the event?"


def naive(run: NaiveRun) -> None:
    bank = run.bank
    consumer = bank.start("consumer", "add")
    wallet = bank.start("wallet", stop_at="committed transfer-3")
    run.explain("the client requests transfers 1 to 3; the wallet commits, then publishes")
    bank.transfer(wallet, "transfer-1", "transfer-2")
    bank.transfer_in_background(wallet, "transfer-3")
    wallet.await_stop("committed transfer-3")
    run.explain("SIGKILL of the wallet, after the commit of transfer 3 and before its event")
    wallet.kill()
    run.explain("the wallet starts again; the client requests transfers 4 and 5")
    wallet = bank.start("wallet")
    bank.transfer(wallet, "transfer-4", "transfer-5")
    consumer.await_step("applied transfer-4", "applied transfer-5")


def project(run: Run) -> None:
    system = run.system
    run.explain("the client requests transfers 1 and 2")
    run.transfer()
    run.transfer()
    run.await_applied()
    run.explain("the lab takes the relay's lease: committed events stay in the outbox")
    system.hold_lease()
    before = len(run.sequences())
    sequence = run.transfer()
    run.check("transfer 3 is committed; rows in the outbox", run.outbox(), 2)
    run.explain("SIGKILL of Wallet, after the commit of transfer 3 and before its event")
    run.process("wallet", "killed")
    run.check("records of transfer 3 in Kafka", run.sequences()[before:], [])
    system.release_lease()
    run.explain("Wallet starts again, and its relay reads the outbox")
    run.process("wallet", "started")
    run.transfer()
    run.transfer()
    run.await_applied()
    run.check("the event of transfer 3 is in Kafka", sequence in run.sequences(), True)


LAB = Lab(1, "dual-write", QUESTION, naive, project, Damage(missing=1, wrong_accounts=2))
