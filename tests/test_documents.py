"""The documents are true: what they list is what the code has, and what they name exists."""

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import intercomd_daemon
from delivery.dialogue import talk
from documents import DOCS, README, ROOT, blocks, called, first_cells, section, tables
from intercomd_daemon import config
from intercomd_daemon.app.changes import RESTART, RESTART_SECTIONS
from intercomd_daemon.cli.main import COMMANDS, main
from intercomd_daemon.config.findings import SettingFindings
from intercomd_daemon.config.setting_keys import build, keys_of
from intercomd_daemon.config.variables import Variables
from intercomd_daemon.connection import ConnectionSettings
from intercomd_daemon.reasons import LABELS
from intercomd_daemon.rpc.settings import CallerSettings
from intercomd_daemon.setting.kinds import ValueKind

COLUMNS = 80
REPOSITORY = "https://github.com/intercomd/intercomd"
"""Pages of packages have no paths."""
PACKAGE = Path(intercomd_daemon.__file__).parent
ARCHITECTURE = ROOT / "daemon" / "ARCHITECTURE.md"
TESTS_PAGE = ROOT / "tests" / "README.md"
OF_CLIENTS = [*(ROOT / "clients").glob("*.md"), *(ROOT / "clients").glob("*/*.md")]
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "daemon").rglob("*.md"),
    *OF_CLIENTS,
    ROOT / "deploy" / "README.md",
    TESTS_PAGE,
]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def constants(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def trees(*parts: str) -> list[ast.Module]:
    """The modules of packages, and single ones."""
    found = [
        path
        for part in parts
        for path in ([PACKAGE / part] if part.endswith(".py") else (PACKAGE / part).rglob("*.py"))
    ]
    return [ast.parse(path.read_text()) for path in sorted(found)]


def read_as(kind: ValueKind, cell: str) -> object:
    return kind.read(tomllib.loads(f"value = {cell.strip('`')}")["value"])


def test_settings_table_matches_the_code() -> None:
    """Keys, order and defaults."""
    common, connection, caller = tables(section(README, "## Settings"))
    for table, struct, more in (
        (common, config.Settings, {}),
        (connection, ConnectionSettings, {"name": "default"}),
        (caller, CallerSettings, {"name": "billing"}),
    ):
        kinds = keys_of(struct)
        assert sorted(row[0].strip("|` ") for row in table) == sorted(kinds)
        values = {key: read_as(kinds[key], row[1]) for row in table for key in [row[0].strip("|` ")]}
        assert build(struct, values, **more) == struct(**more)
        assert all(len(row) == 3 and row[2] for row in table)


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(path: Path) -> None:
    prose = re.sub(r"(?ms)^```.*?^```", "", path.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        place, _, anchor = target.removeprefix(REPOSITORY).partition("#")
        folder = ROOT if target.startswith(REPOSITORY) else path.parent
        linked = (folder / place.removeprefix("/blob/main/")).resolve() if place else path
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"(?m)^#+ (.+)$", linked.read_text())
            assert anchor in [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_examples_of_settings_load(path: Path, tmp_path: Path) -> None:
    for number, text in enumerate(blocks(path, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)
        assert not config.load(str(file), {}).warnings


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_variables_are_settings(path: Path) -> None:
    findings = SettingFindings()
    named = re.findall(r"INTERCOMD_[A-Z_]*[A-Z]", path.read_text())
    tables_of = {table: keys_of(entry) for table, entry in config.TABLES.items()}
    Variables(keys_of(config.Settings), tables_of, findings).read(dict.fromkeys(named, ""))
    assert not findings.warnings
    assert not findings.problems


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_commands_and_their_options_exist(path: Path) -> None:
    for words in called(path, "intercomd"):
        context = click.Context(main)
        command: click.Command | None = main
        for word in words:
            if isinstance(command, click.Group) and not word.startswith("-"):
                command = command.get_command(context, word)
        assert command is not None, words
        options = {name for parameter in command.get_params(context) for name in parameter.opts}
        assert {word.split("=")[0] for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_make_has_the_targets_that_are_named(path: Path) -> None:
    targets = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text())
    assert {words[0] for words in called(path, "make")} <= set(targets)


def test_operations_page_lists_the_keys_that_need_a_restart() -> None:
    text = section(DOCS / "operations.md", "## Reloading settings")
    named = {key for line in re.findall(r"(?m)^- (`.*)$", text) for key in re.findall(r"`([\w.*]+)`", line)}
    assert named == RESTART | {f"{section}*" for section in RESTART_SECTIONS}


@pytest.mark.parametrize("path", [README, ROOT / "deploy" / "README.md", *DOCS.glob("*.md")], ids=relative)
def test_shell_commands_fit_a_terminal(path: Path) -> None:
    assert [line for block in blocks(path, "sh") for line in block.splitlines() if len(line) > COLUMNS] == []


def test_readme_lists_the_commands() -> None:
    assert first_cells(section(ROOT / "README.md", "## Commands")) == [f"intercomd {name}" for name in COMMANDS]


def test_page_of_the_tests_lists_every_support_package() -> None:
    packages = sorted(path.parent.name for path in (ROOT / "tests" / "support").glob("*/__init__.py"))
    assert first_cells(section(TESTS_PAGE, "## Harnesses")) == packages


def test_change_log_names_every_command() -> None:
    """Those of the first release in a list, each later one as it is called."""
    text = (ROOT / "CHANGELOG.md").read_text()
    listed = re.search(r"The command `intercomd`: ([^.]+)\.", text)
    assert listed
    later = set(re.findall(r"`intercomd ([a-z-]+)", text))
    assert set(re.split(r",\s+", listed[1])) | (later & COMMANDS.keys()) == COMMANDS.keys()


def test_version_is_the_same_in_the_packages_and_the_change_log() -> None:
    daemon, client = (
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"] for folder in (".", "clients/python")
    )
    headings = re.findall(r"(?m)^## (\S+)$", (ROOT / "CHANGELOG.md").read_text())
    assert {client["version"], headings[0]} == {intercomd_daemon.__version__}
    assert f"intercomd-client=={intercomd_daemon.__version__}" in daemon["dependencies"]


# Texts in the same spelling that are not reasons: words of SQL, a currency, and what names the warning of a notice.
NO_REASONS = {"ASC", "BEGIN", "COMMIT", "DESC", "ROLLBACK", "USD", "ACCESS_UNVERIFIED", "HTTPS_PROXY", "NO_PROXY"}
# And names of statuses, of kinds of certificate names, and methods of HTTP.
NO_REASONS |= {"INVALID_ARGUMENT", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "UNIMPLEMENTED"}
NO_REASONS |= {"CANCELLED", "UNAUTHENTICATED", "UNKNOWN", "DNS", "URI", "GET", "HEAD", "POST"}


def reasons_of_the_code() -> set[str]:
    found = set()
    for tree in trees("ingest", "deliver", "forward", "spool", "operations", "rpc", "outcome.py"):
        found |= {text for text in constants(tree) if re.fullmatch(r"[A-Z]+(_[A-Z]+)*", text) and len(text) > 2}
        built = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
        found |= {f"{text}<status>" for node in built for text in constants(node) if re.fullmatch(r"[A-Z]+_", text)}
    return found - NO_REASONS


def test_reasons_page_lists_the_reasons_of_the_code() -> None:
    page = (DOCS / "reasons.md").read_text().split("\n## Notices\n")[0]
    listed = first_cells(page)
    assert set(listed) == reasons_of_the_code()
    assert set(listed) >= LABELS


def test_reasons_page_lists_the_notices() -> None:
    calls = [node for tree in trees("") for node in ast.walk(tree) if isinstance(node, ast.Call)]
    noted = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "on_notice"]
    notices = {text for call in noted for text in constants(ast.Tuple(call.args))}
    assert set(first_cells(section(DOCS / "reasons.md", "## Notices"))) == notices


def test_operations_page_lists_the_log_events() -> None:
    """Rejected and skipped envelopes are logged under the name of their disposition."""
    events = {"rejected", "skipped"}
    for tree in trees(""):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and re.search(
                r"logger\.(debug|info|warning|error|log|log_lines)$", ast.unparse(node.func)
            ):
                events |= {
                    arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
                }
            if isinstance(node, ast.Dict):  # A line that does not pass a logger.
                items = zip(node.keys, node.values, strict=True)
                values = [value for key, value in items if isinstance(key, ast.Constant) and key.value == "event"]
                events |= {value.value for value in values if isinstance(value, ast.Constant)}
    assert set(first_cells(section(DOCS / "operations.md", "## Logs"))) == events


UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "ms": 0.001, "s": 1.0}


def measure(text: str) -> float:
    number, _, unit = text.replace(",", "").partition(" ")
    return float(number) * UNITS.get(unit, 1)


@pytest.mark.parametrize("row", tables(section(ARCHITECTURE, "## Limits"))[0], ids=lambda row: row[2].strip("`| "))
def test_limit_is_that_of_the_code(row: list[str]) -> None:
    module, _, name = row[2].strip("`| ").rpartition(".")
    value = getattr(importlib.import_module(f"intercomd_daemon.{module}"), name)
    assert value * (1024 if name.endswith("_KIB") else 1) == pytest.approx(measure(row[1]))


def test_files_that_the_architecture_names_are_there() -> None:
    folders = ("daemon", "proto", "tests")
    paths = [*ROOT.glob("*.*"), *(path for folder in folders for path in (ROOT / folder).rglob("*.*"))]
    files = [relative(path) for path in paths]
    for named in re.findall(r"`([\w/]+\.(?:py|proto|toml))`", ARCHITECTURE.read_text()):
        assert any(f"/{file}".endswith(f"/{named}") for file in files), named


PROMISES = DOCS / "promises.md"
NAMED_TESTS = re.findall(r"\[`(\w+)`\]\(([^)]+)\)", PROMISES.read_text())


@pytest.mark.parametrize(("name", "file"), sorted(set(NAMED_TESTS)))
def test_linked_test_of_a_promise_exists(name: str, file: str) -> None:
    tree = ast.parse((PROMISES.parent / file).read_text())
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert name.startswith("test_")
    assert name in functions


def test_promises_match_the_readme_and_have_tests_and_limits() -> None:
    promised = re.findall(r"(?m)^\d\. \*\*([^*]+?)\.?\*\*", section(README, "## Promises and limits"))
    headings = re.findall(r"(?m)^## (\d)\. (.+)$", PROMISES.read_text())
    assert [number for number, _ in headings] == list("12345")
    assert all(one.startswith(other) for one, (_, other) in zip(promised, headings, strict=True)), (promised, headings)
    for number, heading in headings:
        text = section(PROMISES, f"## {number}. {heading}")
        assert len(tables(text)[0]) > 2
        assert "Where it ends:" in text


def test_dialogue_of_the_tests_page_holds() -> None:
    """A remark follows each line after several spaces."""
    (script,) = blocks(TESTS_PAGE, "dialogue")
    talk("\n".join(re.split(r" {3,}", line)[0] for line in script.splitlines()))
