"""Runs the conformance scenarios against the real daemon and the sandbox, with the driver of each language.

    python clients/conformance/run.py                     every language
    python clients/conformance/run.py go typescript       some
    python clients/conformance/run.py go --scenario quota one scenario
    python clients/conformance/run.py --table README.md   writes the table of results between its two markers

Exit code 0: every scenario passed or does not apply. A missing toolchain is NOT RUN, which counts as failed.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE.parent), str(HERE.parents[1] / "tests" / "support")]

from comparison import Mismatch  # noqa: E402
from languages import OTHERS, WEB, Language, NotRunError  # noqa: E402
from scenario import NotApplicable, Scenario, play  # noqa: E402

LANGUAGES: dict[str, Language | None] = {"python": None} | {language.name: language for language in OTHERS}
LANGUAGES_AT_ONCE = 3
"""They take a quarter of two processors: their time is waiting."""
MARKERS = ("<!-- conformance: begin -->\n", "<!-- conformance: end -->\n")
PASSED, FAILED, NOT_APPLICABLE, NOT_RUN = "passed", "FAILED", "n/a", "NOT RUN"


def main() -> int:
    """Runs what the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", help=", ".join(LANGUAGES))
    parser.add_argument("--scenario", action="append", default=[], metavar="NAME", help="only this one; repeatable")
    parser.add_argument("--built", action="store_true", help="the drivers are built, as check.py leaves them")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table of results into this file")
    arguments = parser.parse_args()
    scenarios = load(HERE / "scenarios.json", arguments.scenario)
    # `make test-clients` passes all names; the web kit is checked by its own tests alone.
    names = [name for name in arguments.languages if name != WEB.name]
    if arguments.languages and not names:
        return 0
    names = names or list(LANGUAGES)
    if unknown := [name for name in names if name not in LANGUAGES]:
        parser.error(f"unknown languages {', '.join(unknown)}: use {', '.join(LANGUAGES)}")
    results = asyncio.run(run_languages(names, scenarios, built=arguments.built))
    table = render(scenarios, results)
    print(f"\n{table}")
    if arguments.table:
        write_table(arguments.table, table)
    outcomes = [outcome for column in results.values() for outcome in column.values()]
    failed = sum(outcome in {FAILED, NOT_RUN} for outcome in outcomes)
    print(f"{len(outcomes) - failed} passed, {failed} failed")
    return 1 if failed else 0


def load(path: Path, names: Sequence[str]) -> list[Scenario]:
    """Returns the scenarios of a file, or only those with these names."""
    scenarios = [Scenario(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))]
    known = {scenario.name for scenario in scenarios}
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"unknown scenarios {', '.join(unknown)}: {path} has {', '.join(sorted(known))}")
    return [scenario for scenario in scenarios if not names or scenario.name in names]


async def run_languages(
    names: Sequence[str], scenarios: Sequence[Scenario], *, built: bool
) -> dict[str, dict[str, str]]:
    """Returns the result of each scenario by language.

    The drivers are built one after another, as compilers take all processors, and then play at the same time: most of
    a scenario is waiting.
    """
    commands = {name: command_of(name, LANGUAGES[name], built=built) for name in names}
    places = asyncio.Semaphore(LANGUAGES_AT_ONCE)
    columns = await asyncio.gather(
        *(run_language(name, command, scenarios, places) for name, command in commands.items())
    )
    return dict(zip(names, columns, strict=True))


def command_of(name: str, language: Language | None, *, built: bool) -> Sequence[str]:
    """Builds the driver of a language, and returns the command that starts it; empty if its toolchain is missing."""
    if language is None:
        return sys.executable, str(HERE / "driver.py")
    try:
        if not built:
            language.build()
    except NotRunError as error:
        print(f"{name}: NOT RUN: {error}", flush=True)
        return ()
    return language.driver


async def run_language(
    name: str, command: Sequence[str], scenarios: Sequence[Scenario], places: asyncio.Semaphore
) -> dict[str, str]:
    """Returns the result of each scenario."""
    if not command:
        return dict.fromkeys([scenario.name for scenario in scenarios], NOT_RUN)
    language, results = LANGUAGES[name], {}
    async with places:
        for scenario in scenarios:
            with tempfile.TemporaryDirectory() as folder:
                client = language.folder if language else HERE
                results[scenario.name], detail = await run_scenario(scenario, command, client, Path(folder))
            print(f"{name}: {scenario.name}: {results[scenario.name]}{detail}", flush=True)
    return results


async def run_scenario(scenario: Scenario, command: Sequence[str], client: Path, folder: Path) -> tuple[str, str]:
    """Returns the result of a scenario, and the details to print after it."""
    try:
        notes = await play(scenario, command, client, folder, environment())
    except NotApplicable as reason:
        return NOT_APPLICABLE, f" ({reason})"
    except (Mismatch, AssertionError, TimeoutError) as error:
        return FAILED, f"\n    {error}"
    return PASSED, "".join(f" ({note})" for note in notes)


def environment() -> dict[str, str]:
    """Returns the environment of the drivers, without settings and proxies of the caller."""
    dropped = {"http_proxy", "https_proxy", "grpc_proxy", "all_proxy", "no_proxy"}
    return {
        name: value
        for name, value in os.environ.items()
        if name.lower() not in dropped and not name.startswith("INTERCOMD_")
    }


def render(scenarios: Sequence[Scenario], results: Mapping[str, Mapping[str, str]]) -> str:
    """Returns the results as a Markdown table."""
    lines = [
        f"| Scenario | {' | '.join(results)} |",
        f"|---|{'---|' * len(results)}",
        *(
            f"| {scenario.title} | {' | '.join(column[scenario.name] for column in results.values())} |"
            for scenario in scenarios
        ),
    ]
    return "".join(f"{line}\n" for line in lines)


def write_table(path: Path, table: str) -> None:
    """Replaces the text between the markers of a file."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(MARKERS[0])
    _, end, after = rest.partition(MARKERS[1])
    if not begin or not end:
        raise SystemExit(f"{path} has no lines {MARKERS[0].strip()} and {MARKERS[1].strip()}")
    path.write_text(f"{before}{begin}{table}{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
