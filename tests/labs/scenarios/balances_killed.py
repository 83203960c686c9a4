"""Lab 3: SIGKILL of Balances between applying an event and storing its offset."""

from tests.labs.naive_system import Damage
from tests.labs.run import ANA, Lab, NaiveRun, Run

QUESTION = "Balances applies an event and is killed before it stores the offset. How often does the event count?"


def naive(run: NaiveRun) -> None:
    bank = run.bank
    wallet = bank.start("wallet")
    run.explain("the client requests transfers 1 to 3")
    bank.transfer(wallet, "transfer-1", "transfer-2", "transfer-3")
    consumer = bank.start("consumer", "add", stop_at="applied transfer-2")
    consumer.await_stop("applied transfer-2")
    run.explain("SIGKILL of the consumer: MySQL has transfer 2, the consumer group in Kafka does not")
    consumer.kill()
    run.explain("the consumer starts again at the offset that Kafka knows")
    consumer = bank.start("consumer", "add")
    consumer.await_step("applied transfer-2", "applied transfer-3")


def project(run: Run) -> None:
    system = run.system
    run.explain("the client requests transfer 1")
    run.transfer()
    run.await_applied()
    before, offsets = run.row(ANA), run.stored_offsets()
    run.explain("the lab locks Ana's row in Balances; the client requests transfer 2")
    with system.held("balances", "BEGIN", f"SELECT * FROM balances WHERE account_id = '{ANA}' FOR UPDATE"):
        sequence = run.transfer()
        system.await_statement("balances", "INSERT INTO balances")
        run.explain("Balances has moved the offset in its open transaction, and waits for the row: SIGKILL")
        run.process("balances", "killed")
    run.check("Ana's row is unchanged", run.row(ANA) == before, True)
    run.check("the stored offsets are unchanged", run.stored_offsets() == offsets, True)
    run.explain("Balances starts again at the stored offset")
    run.process("balances", "started")
    run.await_applied()
    run.check("Ana's row has the sequence of transfer 2", run.row(ANA)[1] == sequence, True)


LAB = Lab(3, "sigkill-of-balances", QUESTION, naive, project, Damage(doubled=1, wrong_accounts=2))
