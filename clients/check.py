"""Checks the clients of all languages but Python: fresh stubs, style, types and tests.

    python clients/check.py          every language
    python clients/check.py go       some
    python clients/check.py --build  only builds them, with all that this downloads

A missing toolchain is NOT RUN, which fails.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from languages import CHECKED, FailedError, Language, NotRunError
from stubs import stale_stubs

LANGUAGES_AT_ONCE = 2
"""While one waits for a registry or a single thread of its compiler, the other uses the processors."""


def check(language: Language, *, only_build: bool) -> list[str]:
    """Returns what is wrong with a client."""
    try:
        language.build()
    except NotRunError as error:
        return [f"NOT RUN: {error}"]
    if only_build:
        return []
    problems = []
    if language.stubs and (stale := stale_stubs(language)):
        problems.append(f"stale stubs {', '.join(stale)}: run make stubs")
    for command in language.checks:
        try:
            language.run(command)
        except FailedError as error:
            problems.append(str(error))
        else:
            print(f"{language.name}: {' '.join(command)[:100]}: passed", flush=True)
    return problems


def main() -> int:
    """Checks what the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [language.name for language in CHECKED]
    parser.add_argument("languages", nargs="*", choices=[[], *names], metavar="LANGUAGE", help=", ".join(names))
    parser.add_argument("--build", action="store_true", help="only build the clients")
    arguments = parser.parse_args()
    chosen = [language for language in CHECKED if not arguments.languages or language.name in arguments.languages]
    with ThreadPoolExecutor(LANGUAGES_AT_ONCE) as threads:
        passed = list(threads.map(partial(report, only_build=arguments.build), chosen))
    return 0 if all(passed) else 1


def report(language: Language, *, only_build: bool) -> bool:
    """Checks a client and prints what is wrong with it; returns whether nothing is."""
    problems = check(language, only_build=only_build)
    for problem in problems:
        print(f"{language.name}: {problem}", file=sys.stderr, flush=True)
    return not problems


if __name__ == "__main__":
    sys.exit(main())
