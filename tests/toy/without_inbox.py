"""Stock without its inbox, to show that the tests notice: `python -m tests.toy.without_inbox`."""

from functools import partial

from tests.toy import stock

if __name__ == "__main__":
    stock.main(partial(stock.apply, keep=lambda cursor, sales, event_id: sales))
