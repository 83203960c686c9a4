"""Messages that could not be applied: parked whole, with the reason, where ops can look at them."""

import json

COUNTED = 10_000


def park(cursor, parked):
    """Keep (record, topic id, error) triples, each once however often it is parked."""
    cursor.executemany(
        "INSERT INTO dead_letters (topic_id, topic, partition_id, record_offset, record_key, record_value,"
        " record_headers, record_timestamp, error) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON DUPLICATE KEY UPDATE error = VALUES(error)",
        [
            (
                topic_id,
                record.topic,
                record.partition,
                record.offset,
                record.key,
                record.value,
                json.dumps([(name, _as_text(value)) for name, value in record.headers]),
                record.timestamp,
                str(error)[:1000],
            )
            for record, topic_id, error in parked
        ],
    )


def count(cursor):
    """How many wait for a decision, counted up to COUNTED."""
    cursor.execute(
        "SELECT COUNT(*) FROM (SELECT id FROM dead_letters WHERE state = 'parked' LIMIT %s) AS counted", (COUNTED,)
    )
    return cursor.fetchone()[0]


def _as_text(value):
    """A header's value may be any bytes, or none: latin-1 gives each byte a character of its own."""
    return None if value is None else value.decode("latin-1")
