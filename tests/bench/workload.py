"""The requests of a load: reads of a balance, or transfers, of accounts drawn uniformly."""

import json
import random
from dataclasses import dataclass
from typing import Literal


def account_id(number: int) -> str:
    return f"b0000000-0000-4000-8000-{number:012d}"


@dataclass(frozen=True)
class Workload:
    """`GET /balances/{account_id}` or `POST /transactions` over the accounts 0 to `accounts` - 1. load.lua has both."""

    method: Literal["GET", "POST"]
    accounts: int

    def draw(self) -> bytes:
        """The bytes of one request."""
        if self.method == "GET":
            return (
                f"GET /balances/{account_id(random.randrange(self.accounts))} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
            )
        source, target = random.sample(range(self.accounts), 2)
        body = json.dumps({"account_id_from": account_id(source), "account_id_to": account_id(target), "amount": 0.01})
        head = f"POST /transactions HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
        return f"{head}{body}".encode()

    def as_environment(self) -> dict[str, str]:
        """The same for load.lua."""
        return {"BENCH_METHOD": self.method, "BENCH_ACCOUNTS": str(self.accounts)}
