"""The limits that keep a file readable: lines of a module, a class and a function of the three packages."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES, CLASS_LINES, FUNCTION_LINES = 250, 150, 60


def test_no_module_class_or_function_is_too_long() -> None:
    assert [f"{name}: {lines} lines of {limit}" for name, lines, limit in _parts() if lines > limit] == []


def _parts() -> Iterator[tuple[str, int, int]]:
    """(name, lines, limit) of every module, class and function."""
    for path in sorted(each for package in ("wallet", "balances", "common") for each in (ROOT / package).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = str(path.relative_to(ROOT))
        yield name, len(text.splitlines()), MODULE_LINES
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                limit = CLASS_LINES if isinstance(node, ast.ClassDef) else FUNCTION_LINES
                assert node.end_lineno is not None
                yield f"{name} {node.name}", node.end_lineno - node.lineno + 1, limit
