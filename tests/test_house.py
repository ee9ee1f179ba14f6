"""The house's rules, read from the source: floors, no circles, no hidden imports, sizes, one file that reads time."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = Path(__file__).parents[1] / "consumer"
FILES = sorted(HOUSE.rglob("*.py"))
GROUND = {
    "settings",
    "environment",
    "databaseurl",
    "logs",
    "sink",
    "lane",
    "clock",
    "errors",
    "rundir",
    "overrides",
    "version",
    "hearing",
    "window",
    "queuename",
    "streams",
    "limits",
}
MAY_IMPORT = {
    "ground": {"ground"},
    "message": {"ground", "message"},
    "process": {"ground", "message", "fleet", "process"},
    "container": {"ground", "message", "fleet", "process", "container"},
    "fleet": {"ground", "fleet"},  # planning is arithmetic: it knows no message and no process
    "desk": {"ground", "message", "process", "container", "fleet", "desk"},
    "local": {"ground", "message", "process", "container", "fleet", "desk", "local"},
    "cli": {"ground"},  # the rest by name, and only what is called
    "testing": {"ground", "testing"},
    "consumer": {"ground", "message", "process"},  # consumer/__init__.py, for users
    "__main__": {"cli"},
}
"""The floors: an import goes down, never up."""

FLEET = ["consumer.fleet.cloud", "consumer.fleet.planning", "consumer.fleet.rehearsal"]
"""The rooms of many containers, from the ground up: what AWS does, what is planned with it, a day of it."""

EXTRAS = {"rich", "roto", "yaml"}  # what only `consumer[demo]` or `[plan]` installs may be imported where it is used
CLOCKS = {"consumer.clock", "consumer.testing.clock"}
LONGEST_FILE, LONGEST_FUNCTION = 300, 40


def name_of(path: Path) -> str:
    words = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


MODULES = {name_of(path): path for path in FILES}


def room_of(module: str) -> str:
    """Give a module's room, which is its folder, or the ground floor."""
    words = module.split(".")
    if len(words) == 1:
        return "consumer"
    return "ground" if len(words) == 2 and words[1] in GROUND else words[1]


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


def names(node: ast.AST) -> Iterator[str]:
    """Give what an import statement imports, in full: a module of ours, or a name in one."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(name: str) -> str | None:
    """Give the module of ours that an imported name belongs to, or None."""
    if name in MODULES:
        return name
    above = name.rpartition(".")[0]
    return above if above in MODULES else None


def is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(node: ast.AST, *, run: bool) -> Iterator[ast.AST]:
    """Give every import statement; with `run` only those that run when the module is loaded."""
    for inner in ast.iter_child_nodes(node):
        if run and (is_for_type_checkers(inner) or isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)):
            continue
        if isinstance(inner, ast.Import | ast.ImportFrom):
            yield inner
        yield from imports(inner, run=run)


def needs(module: str, *, run: bool) -> set[str]:
    """Give the modules of ours that a module imports."""
    found = {ours(name) for node in imports(tree_of(module), run=run) for name in names(node)}
    return {name for name in found if name} - {module}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_there_is_a_house() -> None:
    assert len(MODULES) > 40
    assert "consumer.process.loop" in MODULES


@pytest.mark.parametrize("module", MODULES)
def test_an_import_goes_down_and_never_up(module: str) -> None:
    room = room_of(module)
    assert room in MAY_IMPORT, f"{module} is in a room that the house does not know"
    wrong = {name for name in needs(module, run=False) if room_of(name) not in MAY_IMPORT[room]}
    assert not wrong, f"{module} ({room}) may not import {sorted(wrong)}"


@pytest.mark.parametrize("room", FLEET)
def test_the_fleets_rooms_stand_on_one_another(room: str) -> None:
    above = tuple(f"{name}." for name in FLEET[FLEET.index(room) + 1 :])
    inside = [module for module in MODULES if module.startswith(f"{room}.")]
    assert inside
    wrong = {(module, name) for module in inside for name in needs(module, run=False) if name.startswith(above)}
    assert not wrong, f"{room} may not import {sorted(wrong)}"


def test_no_import_goes_in_a_circle() -> None:
    graph = {module: needs(module, run=True) - {"consumer"} for module in MODULES}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", MODULES)
def test_nobody_inside_imports_what_is_made_for_users(module: str) -> None:
    assert "consumer" not in needs(module, run=False), f"{module} takes a name from consumer/__init__.py"


@pytest.mark.parametrize("module", MODULES)
def test_no_import_is_hidden_in_a_function(module: str) -> None:
    lines = MODULES[module].read_text().splitlines()
    for function in functions(tree_of(module)):
        for node in imports(function, run=False):
            for name in names(node):
                assert ours(name) is None, f"{module}.{function.name} hides the import of {name}"
                where = f"{module}.{function.name} imports {name}"
                top = name.split(".")[0]
                assert top in EXTRAS | sys.stdlib_module_names, f"{where}, which is no optional extra"
                line = node.lineno - 1  # type: ignore[attr-defined]
                assert "#" in lines[line] or lines[line - 1].strip().startswith("#"), f"{where} without saying why"


@pytest.mark.parametrize("module", MODULES)
def test_no_file_is_over_300_lines_and_no_function_over_40(module: str) -> None:
    length = len(MODULES[module].read_text().splitlines())
    assert length <= LONGEST_FILE, f"{module} has {length} lines"
    for function in functions(tree_of(module)):
        long = (function.end_lineno or 0) - function.lineno + 1
        assert long <= LONGEST_FUNCTION, f"{module}.{function.name} has {long} lines"


def reads_time(node: ast.AST) -> str | None:
    """Give the name of what reads time, sleeps or rolls dice."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        banned = [name for name in names(node) if name.split(".")[0] in {"time", "random", "secrets"}]
        return banned[0] if banned else None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        name = f"{node.value.id}.{node.attr}"
        return name if name in {"asyncio.sleep", "datetime.now", "datetime.utcnow", "datetime.today"} else None
    return None


@pytest.mark.parametrize("module", sorted(MODULES.keys() - CLOCKS))
def test_only_the_clock_reads_time_sleeps_or_rolls_dice(module: str) -> None:
    found = [(name, node.lineno) for node in ast.walk(tree_of(module)) if (name := reads_time(node))]  # type: ignore[attr-defined]
    assert not found, f"{module} uses {found}"


def loaded_by(statement: str) -> set[str]:
    """Run a statement in an interpreter of its own; give the packages that it loads."""
    code = f"import sys; before = set(sys.modules)\n{statement}\nprint(*sorted(set(sys.modules) - before))"
    words = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    return {word.split(".")[0] for word in words}


def test_what_users_import_loads_neither_boto3_nor_sqlalchemy_nor_pydantic() -> None:
    loaded = loaded_by("import consumer")
    assert not loaded & {"boto3", "botocore", "sqlalchemy", "pydantic", "structlog", "supervisor", "psutil"}
    assert loaded - set(sys.stdlib_module_names) == {"consumer"}


def test_the_health_check_loads_only_the_standard_library() -> None:
    loaded = loaded_by("from consumer.cli import main\nimport consumer.container.health")
    assert loaded - set(sys.stdlib_module_names) == {"consumer"}


@pytest.mark.parametrize(
    "command", ["health", "status", "work", "up", "settings", "send", "failed", "plan", "rehearse"]
)
def test_a_command_says_how_it_is_used(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "consumer", command, "--help"], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith(f"usage: consumer {command}")
