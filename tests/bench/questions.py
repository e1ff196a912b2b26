"""The script's side of `children.Script`: reads a question per line of standard input and answers each, in JSON."""

import json
import sys
from collections.abc import Callable
from typing import Any


def answer_all(answers: dict[str, Callable[..., dict[str, Any]]]) -> None:
    """Answers `{"do": name, ...}` by the function of that name, until standard input ends."""
    for line in sys.stdin:
        question = json.loads(line)
        answer = answers[question.pop("do")](**question)
        print(json.dumps(answer), flush=True)  # noqa: T201 - to the parent
