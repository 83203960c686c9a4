"""What must be true of the files themselves."""

import http.client
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MIGRATIONS = sorted((ROOT / "db").glob("*/migrations/*.sql"))
DATA_DEFINITION = re.compile(r"^(?:    ')?(CREATE|ALTER|DROP|RENAME|TRUNCATE)\b", re.MULTILINE)


def test_the_folder_of_requests_does_not_hide_pythons_own_http():
    assert not (ROOT / "http" / "__init__.py").exists()
    assert not Path(http.client.__file__).is_relative_to(ROOT / "http")


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: f"{path.parts[-3]} {path.stem}")
def test_a_migration_changes_one_thing_and_may_be_cut_off_and_run_again(path):
    up, down = path.read_text(encoding="utf-8").split("-- migrate:down")

    # MySQL commits at each DDL: of two in one file, a SIGKILL between them would leave half a migration.
    assert len(DATA_DEFINITION.findall(up)) <= 1
    assert not re.search(r"CREATE TABLE (?!IF NOT EXISTS)", up)
    assert not re.search(r"DROP TABLE (?!IF EXISTS)", down)
    assert DATA_DEFINITION.search(down)
    # MySQL knows no ADD COLUMN IF NOT EXISTS: an ALTER is prepared, and only where a column or key is not as required.
    for part in (up, down):
        assert "ALTER TABLE" not in part or re.search(r"information_schema\.(columns|statistics)", part)
