"""The rules of the house are held: who may import what, where SQL stands, how large a module is."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

import grimp
import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "services"
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

MOST_LINES = 350
MOST_LINES_OF_THE_AGGREGATOR = 199
MEDIAN_LINES = range(80, 151)
MOST_ROOMS_OF_THE_API = 12

CONTRACTS = {
    "layers": "Imports go down",
    "redis": "Redis stays behind the log and the state",
    "kafka": "Kafka stays behind the log",
    "clickhouse": "ClickHouse stays behind the store",
    "faust": "Faust stays in the aggregator",
    "opentelemetry": "OpenTelemetry stays behind the tracing",
}

SAME_THING = {
    # A driver is found by the scheme of the log's URL and this name; one base and one class a log.
    "Transport",
}

# A statement begins a line in upper case, as all of ours do; what a sentence begins with is not.
_SQL = re.compile(
    r"^\s*(?:SELECT|INSERT INTO|ALTER|CREATE|DROP|OPTIMIZE|SYSTEM|TRUNCATE|WITH)\s", re.MULTILINE
)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def modules(root: Path = SERVICES) -> list[Path]:
    return sorted(root.rglob("*.py"))


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Return line and value of each string in a module, the pieces of f-strings too."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def place(path: Path, root: Path = ROOT) -> str:
    return path.relative_to(root).as_posix()


# Imports


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module in modules():
        target = tmp_path / module.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module, target)
    return tmp_path


def lint_imports(folder: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        [LINT_IMPORTS, "--no-logo", "--no-cache", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_imports_are_as_the_contracts_say(copy: Path) -> None:
    code, said = lint_imports(copy)
    assert code == 0, said


def test_every_contract_is_tried_below() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    assert {contract["id"]: contract["name"] for contract in contracts} == CONTRACTS


FORBIDDEN = [
    ("layers", "store/interface.py", "import services.api.app"),
    ("layers", "model/hit.py", "from services.settings import PREFIX"),
    ("layers", "ingest/drops.py", "from services.aggregator import fold"),
    ("layers", "redis_client/wire.py", "from services.state import keys"),
    ("redis", "model/hit.py", "import redis"),
    ("redis", "enrich/bots.py", "from redis import asyncio"),
    ("redis", "http/health.py", "import hiredis"),
    ("kafka", "ingest/drops.py", "from aiokafka import AIOKafkaProducer"),
    ("clickhouse", "doctor/check.py", "import clickhouse_driver"),
    ("clickhouse", "embedded/errors.py", "from chdb import session"),
    ("faust", "runtime/tasks.py", "from mode import Service"),
    ("faust", "widget/badge.py", "def late():\n    import faust"),
    ("opentelemetry", "ingest/drops.py", "from opentelemetry import trace"),
]


def test_a_forbidden_import_is_refused_and_its_contract_named(copy: Path) -> None:
    for _, importer, statement in FORBIDDEN:
        with (copy / "services" / importer).open("a", encoding="utf-8") as file:
            file.write(f"\n\n{statement}\n")
    code, said = lint_imports(copy)
    assert code == 1, said
    assert {contract for contract, _, _ in FORBIDDEN} == CONTRACTS.keys()
    overview, *sections = re.split(
        rf"^({'|'.join(CONTRACTS.values())})\n-+\n", said, flags=re.MULTILINE
    )
    told = dict(zip(sections[::2], sections[1::2], strict=True))
    for contract, importer, statement in FORBIDDEN:
        assert f"{CONTRACTS[contract]} BROKEN" in overview
        package = re.findall(r"(?:from|import) ([\w.]+)", statement)[0]
        module = "services." + importer.removesuffix(".py").replace("/", ".")
        assert re.search(rf"\b{module} -> {package}", told[CONTRACTS[contract]]), said


# Places


def sql_outside(root: Path = SERVICES) -> list[str]:
    return [
        f"{place(path, root.parent)}:{line}"
        for path in modules(root)
        if path.parts[len(root.parts)] != "store"
        and not path.name.startswith("queries")
        and path.parent.name != "queries"
        for line, text in texts(path)
        if _SQL.search(text)
    ]


def test_sql_stands_in_the_store_and_in_files_and_rooms_named_queries() -> None:
    assert sql_outside() == []


def key_prefixes(root: Path = SERVICES) -> set[str]:
    """Return how the names of keys begin, as the modules of keys have them: "hits:", "salt:"."""
    return {
        found[0]
        for path in root.rglob("keys.py")
        for _, text in texts(path)
        if (found := re.match(r"[a-z-]+:(?=[\w-]*$)", text))
    }


def key_names_outside(root: Path = SERVICES) -> list[str]:
    begins = re.compile(rf"(?:{'|'.join(map(re.escape, key_prefixes(root)))})[\w:-]*$")
    return [
        f"{place(path, root.parent)}:{line}: {text}"
        for path in modules(root)
        if path.name != "keys.py"
        for line, text in texts(path)
        if begins.match(text)
    ]


def test_names_of_keys_stand_in_the_modules_of_keys() -> None:
    assert {"hits:", "salt:", "session:"} <= key_prefixes()
    assert key_names_outside() == []


def test_a_statement_or_a_key_elsewhere_would_be_noticed(tmp_path: Path) -> None:
    for name, text in {
        "log/keys.py": 'def salt(site):\n    return f"salt:{site}"',
        "api/app.py": 'query = f"""\n    SELECT {1} FROM hits\n"""\nkey = f"salt:{2}"',
        "api/queries_more.py": 'query = "SELECT 1"',
        "api/queries/more.py": 'query = "SELECT 1"',
        "store/small.py": 'query = "DROP TABLE hits"',
        "cli/main.py": '"""Select a site.\n\nWith a name."""\nnames = "WITHOUT", "salt: none"',
    }.items():
        path = tmp_path / "services" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text + "\n")
    assert sql_outside(tmp_path / "services") == ["services/api/app.py:1"]
    assert key_names_outside(tmp_path / "services") == ["services/api/app.py:4: salt:"]


# Names


def classes(root: Path = SERVICES) -> dict[str, list[str]]:
    """Return public class → the modules that define one of that name."""
    owners = defaultdict(list)
    for path in modules(root):
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                owners[node.name].append(place(path, root.parent))
    return owners


def twice(root: Path = SERVICES) -> dict[str, list[str]]:
    return {name: owners for name, owners in classes(root).items() if len(owners) > 1}


def test_the_name_of_a_public_class_means_one_thing() -> None:
    shared = twice()
    unexpected = {name: at for name, at in shared.items() if name not in SAME_THING}
    assert unexpected == {}
    assert set(shared) >= SAME_THING, "a name of SAME_THING is no longer there twice"


def test_a_second_class_of_a_name_would_be_noticed(tmp_path: Path) -> None:
    for name, text in {
        "one.py": "class Hit: ...\nclass _Own: ...",
        "two.py": "class Hit: ...\nclass _Own: ...",
        "three.py": "def make():\n    class Hit: ...",
    }.items():
        (tmp_path / name).write_text(text)
    assert list(twice(tmp_path)) == ["Hit"]


# Errors


def taken_for_texts(path: Path) -> list[int]:
    """Return the lines where `error or …` stands in for the text of an error, which may be empty.

    An error is true whatever its text is, so what follows `or` is never said.
    """
    return [
        choice.lineno
        for handler in ast.walk(parsed(path))
        if isinstance(handler, ast.ExceptHandler) and handler.name
        for choice in ast.walk(handler)
        if isinstance(choice, ast.BoolOp)
        and isinstance(choice.op, ast.Or)
        and isinstance(choice.values[0], ast.Name)
        and choice.values[0].id == handler.name
    ]


def test_no_error_is_taken_for_its_text() -> None:
    assert {place(path): found for path in modules() if (found := taken_for_texts(path))} == {}


def test_an_error_taken_for_its_text_would_be_noticed(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text('try:\n    x()\nexcept OSError as error:\n    print(f"{error or 1}")\n')
    assert taken_for_texts(path) == [4]


# Shape


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def rooms(folder: Path) -> set[str]:
    """Return the rooms of a folder: folders with modules, and modules."""
    return {
        path.name for path in folder.iterdir() if path.suffix == ".py" or any(path.rglob("*.py"))
    }


def test_the_root_has_only_settings_and_metrics() -> None:
    files = {path.name for path in SERVICES.iterdir() if path.is_file()}
    assert files == {"__init__.py", "settings.py", "metrics.py", "py.typed"}


def test_the_api_has_at_most_twelve_rooms() -> None:
    present = rooms(SERVICES / "api") - {"__init__.py"}
    assert len(present) <= MOST_ROOMS_OF_THE_API, sorted(present)


def test_no_module_holds_two_nouns() -> None:
    others = (*modules(ROOT / "dashboards"), *modules(ROOT / "benchmarks"))
    code = (*modules(), *SERVICES.rglob("*.c"), *SERVICES.rglob("sources/*.js"), *others)
    long = {place(path): lines(path) for path in code if lines(path) > MOST_LINES}
    assert long == {}


def test_the_pipeline_of_the_aggregator_is_one_page() -> None:
    assert lines(SERVICES / "aggregator" / "app.py") <= MOST_LINES_OF_THE_AGGREGATOR


def test_a_module_in_the_middle_is_one_page_to_two() -> None:
    sizes = [lines(path) for path in modules() if path.name != "__init__.py"]
    assert MEDIAN_LINES.start <= median(sizes) < MEDIAN_LINES.stop


def test_no_modules_import_each_other_in_a_circle_not_even_for_types() -> None:
    graph = grimp.build_graph("services", cache_dir=None)
    imported = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' <- '.join(error.args[1])}")
