"""Lab 7: the read model is lost, and rebuilt while transfers go on."""

from contextlib import closing
from threading import Event, Thread

from tests.eventually import eventually
from tests.labs.naive_system import Damage
from tests.labs.run import ANA, BRUNO, RESPONSE_SECONDS, Lab, NaiveRun, Run

QUESTION = "All rows of the read model are gone. Can you rebuild them while clients keep transferring?"
PAUSE_SECONDS = 0.02
TRANSFERS_AROUND = 5  # before the announcement, and after it


def naive(run: NaiveRun) -> None:
    bank = run.bank
    consumer = bank.start("consumer", "overwrite")
    wallet = bank.start("wallet")
    run.explain("the client requests transfers 1 and 2; then the rows of the read model are deleted")
    bank.transfer(wallet, "transfer-1", "transfer-2")
    consumer.await_step("applied transfer-1", "applied transfer-2")
    bank.rows("DELETE FROM balances")
    run.explain("the rebuild reads the wallet's balances; before it writes them, transfers 3 and 4 are applied")
    rebuild = bank.start("rebuild", stop_at="read accounts")
    rebuild.await_stop("read accounts")
    bank.transfer(wallet, "transfer-3", "transfer-4")
    consumer.await_step("applied transfer-3", "applied transfer-4")
    run.explain("the rebuild writes what it read")
    rebuild.resume()
    rebuild.await_step("wrote balances")


def project(run: Run) -> None:
    system = run.system
    run.explain("the client transfers all the time; the rows of the read model are deleted")
    with closing(Load(run)) as load:
        load.await_transfers()
        system.rows("balances", "DELETE FROM balances")
        run.recorder.message("client", "mysql", "DELETE FROM balances")
        run.explain("`wallet announce` publishes the present balance of every account, while transfers go on")
        started = load.transfers
        code, output = system.command("wallet", "announce")
        run.check("exit code of the announcement", code, 0)
        run.explain(f"  {output.splitlines()[-1]}; {load.transfers - started} transfers meanwhile")
        load.await_transfers()
    run.await_applied()
    rows = system.rows("balances", "SELECT COUNT(*) FROM balances")[0][0]
    run.check("accounts in Balances", rows, len(system.rows("wallet", "SELECT id FROM accounts")))


class Load:
    """Transfers from Ana to Bruno and back, one after the other, until it is closed."""

    def __init__(self, run: Run) -> None:
        self.transfers = 0
        self._run, self._stop = run, Event()
        self._thread = Thread(target=self._transfer)
        self._thread.start()

    def await_transfers(self) -> None:
        """Wait for the next few transfers."""
        wanted = self.transfers + TRANSFERS_AROUND
        eventually(lambda: self.transfers >= wanted, RESPONSE_SECONDS)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _transfer(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            self._run.transfer(*((ANA, BRUNO) if self.transfers % 2 == 0 else (BRUNO, ANA)))
            self.transfers += 1


LAB = Lab(7, "rebuild", QUESTION, naive, project, Damage(missing=2, wrong_accounts=2))
