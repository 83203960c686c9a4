"""The relay chooses partitions as kafka-python and the Java client do."""

import pytest
from kafka.partitioner import DefaultPartitioner

from common.events.relay import _Partitioner


class Cluster:
    """The part of kafka-python's cluster metadata that a partitioner reads."""

    def __init__(self, partitions):
        self._partitions = set(range(partitions))

    def topics(self):
        return {"balances"}

    def partitions_for_topic(self, topic):
        return self._partitions if topic == "balances" else None

    available_partitions_for_topic = partitions_for_topic


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_a_key_goes_to_the_same_partition_as_by_default(partitions):
    cluster = Cluster(partitions)

    for number in range(50):
        arguments = ("balances", f"key {number}", b"key %d" % number, None, b"", cluster)
        assert _Partitioner().partition(*arguments) == DefaultPartitioner().partition(*arguments)


def test_a_topic_without_metadata_is_refused_as_by_default():
    with pytest.raises(ValueError, match="not found"):
        _Partitioner().partition("unknown", "key", b"key", None, b"", Cluster(1))
