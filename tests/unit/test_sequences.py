"""The limit beyond which a sequence is taken for one from the future."""

from common.events import sequences
from wallet import domain


def test_the_limit_of_reset_sequences_is_the_one_at_which_a_transfer_is_refused() -> None:
    # The machinery does not import the wallet, and the domain imports nothing.
    assert sequences.AHEAD_SECONDS == domain.CLOCK_DIFFERENCE_SECONDS
