"""Lets kafka-python read a record whose header names are not UTF-8: Kafka takes any bytes for a name.

The client decodes them strictly, and a single such record would stop its partition for ever: it can be neither read
nor passed over. The client has no way to say otherwise, hence the one class put in place of its own.
"""

from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatch


def read_any_names():
    """From now on a byte of a header's name that is not UTF-8 is read as `\\xff`: a name nobody knows."""
    memory_records.DefaultRecordBatch = _Batch


class _Batch(DefaultRecordBatch):
    __slots__ = ()

    def _read_msg(self):
        try:
            return super()._read_msg()
        except UnicodeDecodeError:
            self._buffer = _Lenient(self._buffer)
            return super()._read_msg()  # from the same place, which moves only once a record is read


class _Lenient(bytearray):
    def __getitem__(self, place):
        found = super().__getitem__(place)
        return _Lenient(found) if isinstance(place, slice) else found

    def decode(self, encoding):
        return super().decode(encoding, "backslashreplace")
