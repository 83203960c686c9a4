"""Random ids are UUIDs of version 4, as uuid.uuid4() writes them."""

import uuid

from common.ids import random_id


def test_a_random_id_is_a_uuid_of_version_4_in_its_canonical_form():
    ids = [random_id() for _ in range(1000)]

    assert [each for each in ids if str(uuid.UUID(each)) != each] == []
    assert {(uuid.UUID(each).version, uuid.UUID(each).variant) for each in ids} == {(4, uuid.RFC_4122)}
    assert len(set(ids)) == len(ids)
