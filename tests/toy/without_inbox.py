"""Stock without its inbox, to show what the inbox is for: `python -m tests.toy.without_inbox`."""

from functools import partial

from tests.toy import stock

APPLY_WITHOUT_INBOX = partial(stock.apply, keep=lambda cursor, sales, event_id: sales)

if __name__ == "__main__":
    stock.main(APPLY_WITHOUT_INBOX)
