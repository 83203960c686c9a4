"""The fault suite: real processes, signals, broker and database; and what was promised, checked after each round."""
