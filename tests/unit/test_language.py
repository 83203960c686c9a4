"""The words that this project does not use, in code, names, texts and documents (see CONTRIBUTING.md, Language)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import ALL, ROOT, Document

# Each with what to write instead.
WORDS = {
    r"hears?|heard|hearing": "consume, receive",
    r"tells?|told|telling": "report, publish, show",
    r"says?|said|saying": "report, print, log",
    r"roads?": "pipeline, end-to-end",
    r"anew|afresh": "re-create, again",
    r"aways?": "unavailable; lost; discarded",
    r"wholes?": "complete, atomic, consistent; integer",
    r"stands?|stood|standing": "is, exists",
    r"looks?|looked|looking": "check, collect, read",
    r"rings?|rang|bells?": "notify, wake",
    r"leads?|led": "is the leader",
    r"besides?|lest|whoever|whose word|thereof|therein|hence": "a plain connective",
    r"reckons?|reckoned|unfolds?|unfolded": "compute; decompress",
    r"gives? way|gave way|giving way": "yield",
    r"is to be|are to be|may be had": "must, is",
    r"crowded|untaken": "overloaded; pending",
    r"settles?|settled|settling|unsettles?|unsettled": "initialize, invalidate; in_progress",
    r"verbs?": "command",
    r"figures?": "metric, measurement",
    r"misconfigured|no answer": "ConfigurationError; UpstreamError",
    r"letters? (?:is|are) (?:told|delivered)|orderable|not judged": "has_sequence; unknown",
    r"the original(?:s|'s)?(?! wallet core)": "the Wallet Core (Go)",
}
FORBIDDEN = re.compile("|".join(rf"\b(?:{words})\b" for words in WORDS), re.IGNORECASE)

# Names and phrases that belong to others, or are standard terms.
ALLOWED = re.compile(
    r"stand[- ]?ins?\b|stand[- ]?by\b|look[- ]?(?:ahead|behind|up)\b|standalone|leading zeros?"
    r"|key ring|keyring|lead time",
    re.IGNORECASE,
)
FOLDERS = ("wallet", "balances", "common", "db", "docker", "http", "tests", "docs", ".github", ".ci")
SUFFIXES = {".py", ".sh", ".sql", ".md", ".html", ".js", ".css", ".yml", ".json", ".http", ".toml", ".properties"}
THIS_FILE = Path(__file__).resolve()

# Files that still use such words: remove the line of each that is cleaned. The list only shrinks.
FILES_TO_CLEAN = """
.ci/run
.github/workflows/ci.yml
balances/api.py
balances/dead_letter_commands.py
balances/ops.py
balances/page/balances.js
balances/readiness.py
balances/reconcile.py
common/access.py
common/connections.py
common/environment.py
common/events/dead_letters.py
common/json_api.py
common/log.py
common/mysql.py
common/mysql_errors.py
common/mysql_session.py
common/mysql_url.py
common/ops.py
common/page/list.js
common/page/money.js
common/page/page.css
common/page/service.js
common/page/state.js
common/page/texts.js
db/balances/migrations/20261101000001_create_balances.sql
db/balances/migrations/20261101000002_create_consumer_offsets.sql
db/balances/migrations/20261101000003_create_dead_letters.sql
docker-compose.replicas.yml
docker-compose.yml
docker/Dockerfile
docker/local-machine.sh
docker/local-process.sh
docker/local-suites.sh
docker/mysql/init.sql
docker/mysql/start.sh
docker/prometheus-alerts.yml
entrypoint.sh
http/balances.openapi.json
http/client.http
http/wallet.openapi.json
local.sh
pyproject.toml
tests/bench/__main__.py
tests/bench/events.py
tests/bench/figures.py
tests/bench/freshness.py
tests/bench/http_load.py
tests/bench/queries.py
tests/bench/starts.py
tests/bench/system.py
tests/bench/transfers.py
tests/browser.py
tests/contract/test_events.py
tests/e2e/conftest.py
tests/e2e/test_client_http.py
tests/e2e/test_freshness.py
tests/e2e/test_pages.py
tests/e2e/test_walk.py
tests/faults/__main__.py
tests/faults/chaos.py
tests/faults/plan.py
tests/faults/proxy.py
tests/faults/scene.py
tests/faults/system.py
tests/faults/test_cuts.py
tests/faults/test_galera.py
tests/faults/test_outages.py
tests/faults/test_poison.py
tests/faults/test_several.py
tests/faults/test_three_brokers.py
tests/faults/test_watchdog.py
tests/integration/explained.py
tests/integration/schemathesis.toml
tests/integration/service.py
tests/integration/test_access.py
tests/integration/test_bad_input.py
tests/integration/test_balances_api.py
tests/integration/test_freshness.py
tests/integration/test_metrics.py
tests/integration/test_migrations.py
tests/integration/test_mysql_errors.py
tests/integration/test_openapi.py
tests/integration/test_ops_dead_letters.py
tests/integration/test_ops_rebuild.py
tests/integration/test_pages.py
tests/integration/test_repositories.py
tests/integration/test_runner.py
tests/integration/test_wallet_api.py
tests/security/conftest.py
tests/security/test_tls_and_passwords.py
tests/stand_ins.py
tests/unit/test_access.py
tests/unit/test_alerts.py
tests/unit/test_balances_messages.py
tests/unit/test_connections.py
tests/unit/test_domain.py
tests/unit/test_environment.py
tests/unit/test_json_app.py
tests/unit/test_json_object.py
tests/unit/test_mysql.py
tests/unit/test_mysql_errors.py
tests/unit/test_numbers.py
tests/unit/test_ops_help.py
tests/unit/test_projection.py
tests/unit/test_readiness.py
tests/unit/test_reconcile.py
tests/unit/test_wallet_messages.py
wallet/announce.py
wallet/domain.py
wallet/ops.py
wallet/page/transfer-texts.js
wallet/page/transfer.js
wallet/page/wallet-texts.js
wallet/page/wallet.js
"""
TO_CLEAN = set(FILES_TO_CLEAN.split())

LONGEST_SENTENCE_WORDS = 25


def test_no_file_uses_a_word_that_has_a_better_one() -> None:
    found = {name: words for name, words in _found() if name not in TO_CLEAN}

    assert found == {}


def test_the_list_of_files_to_clean_only_shrinks() -> None:
    assert TO_CLEAN - {name for name, _ in _found()} == set()


@pytest.mark.parametrize("document", ALL, ids=lambda document: document.name)
def test_a_sentence_of_a_document_is_short_and_names_its_subject(document: Document) -> None:
    sentences = [sentence for sentence in _sentences(document) if document.name not in TO_CLEAN]

    assert [each for each in sentences if len(each.split()) > LONGEST_SENTENCE_WORDS] == []
    assert [each for each in sentences if re.match(r"(It|They|He|She)\b", each)] == []


def _found() -> Iterator[tuple[str, set[str]]]:
    """(file, words in it) of every file that has one."""
    for path in _files():
        text = ALLOWED.sub(" ", _as_words(path.read_text(encoding="utf-8")))
        name = str(path.relative_to(ROOT))
        words = {match.group().lower() for match in FORBIDDEN.finditer(f"{_as_words(name)}\n{text}")}
        if words:
            yield name, words


def _files() -> Iterator[Path]:
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in sorted([*paths, *(path for path in ROOT.iterdir() if path.is_file())]):
        known = path.suffix in SUFFIXES or path.name in ("run", "Dockerfile", ".env.example")
        # Portuguese has words that are written as English ones.
        if known and path != THIS_FILE and "__pycache__" not in path.parts and not path.name.endswith(".pt-BR.md"):
            yield path


def _as_words(text: str) -> str:
    """Identifiers taken apart: LOOK_SECONDS and OutboxRelay are two words each."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("_", " "))


def _sentences(document: Document) -> Iterator[str]:
    text = re.sub(r"`[^`\n]+`", "Code", document.prose())
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)|<[^>]+>", r"\1", text)
    for line in re.sub(r"\n(?![\n|#\-*>\d])", " ", text).splitlines():
        for cell in line.strip("|").split("|") if line.startswith("|") else [re.sub(r"^[#\-*>\d. ]+", "", line)]:
            yield from filter(None, (part.strip() for part in re.split(r"(?<=[.!?])\s+", cell)))
