"""The instructions of the Dockerfile."""

import json
import re
from typing import NamedTuple

from deployment.files import ROOT

DOCKERFILE = ROOT / "Dockerfile"


class Instruction(NamedTuple):
    name: str
    rest: str


def instructions() -> list[Instruction]:
    """Return each instruction in one line, without comments."""
    text = re.sub(r"(?m)^#.*\n", "", DOCKERFILE.read_text()).replace("\\\n", " ")
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.splitlines() if line.strip()]
    return [Instruction(*line.split(" ", 1)) for line in lines]


def stages() -> tuple[list[Instruction], list[Instruction]]:
    """Return the stage that builds and the one that runs."""
    found = instructions()
    second = [place for place, instruction in enumerate(found) if instruction.name == "FROM"][1]
    return found[:second], found[second:]


def base() -> str:
    """Return the name of the base image."""
    return instructions()[0].rest.split(" ")[0]


def of_the_image(name: str) -> list[str]:
    return [instruction.rest for instruction in stages()[1] if instruction.name == name]


def pairs(rest: str) -> dict[str, str]:
    """Return the variables of an ENV instruction."""
    return dict(pair.split("=", 1) for pair in rest.split(" "))


def variables() -> dict[str, str]:
    return {name: value for rest in of_the_image("ENV") for name, value in pairs(rest).items()}


def command(name: str) -> list[str]:
    """Return the words of an instruction in exec form, the only one without a shell in between."""
    words = json.loads(of_the_image(name)[0])
    assert isinstance(words, list)
    return words


def healthcheck() -> list[str]:
    words = json.loads(of_the_image("HEALTHCHECK")[0].partition("CMD ")[2])
    assert isinstance(words, list)
    return words
