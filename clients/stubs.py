"""Generates the stubs of the clients, or checks that the committed ones are up to date.

    python clients/stubs.py                generates the stubs of every language but Python
    python clients/stubs.py go             of some
    python clients/stubs.py --check go     compares them with the committed stubs

clients/python/generate.py makes those of Python, which need no other toolchain.
"""

import argparse
import filecmp
import sys
import tempfile
from pathlib import Path

from languages import OTHERS, Language, NotRunError


def stale_stubs(language: Language) -> list[str]:
    """Returns the stubs that differ from what protoc generates now."""
    with tempfile.TemporaryDirectory() as folder:
        language.generate(Path(folder))
        fresh, committed = Path(folder) / language.stubs, language.folder / language.stubs
        names = {path.relative_to(root) for root in (fresh, committed) for path in root.rglob("*") if path.is_file()}
        return sorted(
            str(name)
            for name in names
            if not (fresh / name).exists()
            or not (committed / name).exists()
            or not filecmp.cmp(fresh / name, committed / name, shallow=False)
        )


def main() -> int:
    """Does what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [language.name for language in OTHERS]
    parser.add_argument("languages", nargs="*", choices=[[], *names], metavar="LANGUAGE", help=", ".join(names))
    parser.add_argument("--check", action="store_true", help="compare only")
    arguments = parser.parse_args()
    failed = False
    for language in OTHERS:
        if arguments.languages and language.name not in arguments.languages:
            continue
        try:
            language.build()
        except NotRunError as error:
            print(f"{language.name}: NOT RUN: {error}", file=sys.stderr)
            failed = True
            continue
        if not arguments.check:
            language.generate(language.folder)
        elif stale := stale_stubs(language):
            print(f"{language.name}: stale stubs {', '.join(stale)}: run make stubs", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
