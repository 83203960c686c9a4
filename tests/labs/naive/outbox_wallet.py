"""A naive wallet with an outbox: the event is a row of the same transaction. It has no event id and no sequence."""

import json
import os
from typing import Any

from bottle import Bottle, request

from tests.labs.naive.bank import transfer
from tests.labs.naive.steps import connect, step

app, database = Bottle(), connect()


@app.post("/transfers")
def create_transfer() -> Any:
    with database.cursor() as cursor:
        event = transfer(cursor, request.json)
        cursor.execute("INSERT INTO outbox (event_key, payload) VALUES (%s, %s)", (event["id"], json.dumps(event)))
    database.commit()
    step(f"committed {event['id']}", "wallet", "mysql", f"COMMIT {event['id']}, outbox")
    return event


if __name__ == "__main__":
    step("started", "wallet", "wallet", "naive wallet started")
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]), quiet=True)
