"""What a sender is told of the names and the number of attributes, the same for users and events."""

from intercomd_daemon.errors import quoted
from intercomd_daemon.ingest.decision import Findings
from intercomd_daemon.ingest.limits import ATTRIBUTE_NAME_CHARACTERS_MAX
from intercomd_daemon.ingest.names import AttributeName, Meaning


def name_stands(name: AttributeName, given: str, path: str, found: Findings) -> bool:
    """Says what became of a name that is not simply taken as given; False if the attribute goes with it."""
    if name.meaning is Meaning.NOTHING:
        message = f"a name of 1 to {ATTRIBUTE_NAME_CHARACTERS_MAX} characters is wanted, a leading $ not counted"
        found.reject("INVALID_ATTRIBUTE_NAME", path, message)
        return False
    if name.meaning is Meaning.IDENTITY:
        message = f"{quoted(given)} says who the user is, and is no attribute: use Identity; it was left out"
        found.adjust("ATTRIBUTE_DROPPED", path, message)
        return False
    if name.renamed:
        say_renamed(name.name, given, path, found)
    return True


def say_renamed(name: str, given: str, path: str, found: Findings) -> None:
    """A name had to be mended."""
    message = (
        f"Intercom takes names of at most {ATTRIBUTE_NAME_CHARACTERS_MAX} characters, without . $ and other special "
        f"ones, and times in events with the ending _date: {quoted(given)} became {quoted(name)}"
    )
    found.adjust("ATTRIBUTE_RENAMED", path, message)


def say_repeated(name: str, path: str, found: Findings) -> None:
    """Another attribute has the name already."""
    message = f"{quoted(name)} stands there already, and the first of equal names stays: it was left out"
    found.adjust("ATTRIBUTE_DROPPED", path, message)


def say_excess(path: str, maximum: int, setting: str, found: Findings) -> None:
    """An attribute is one too many and was trimmed."""
    message = f"at most {maximum} attributes reach Intercom, the first ones ({setting}): it was left out"
    found.adjust("ATTRIBUTE_DROPPED", path, message)


def refuse_excess(path: str, excess: int, maximum: int, setting: str, found: Findings) -> None:
    """There are too many attributes, and the connection does not trim."""
    message = f"at most {maximum} attributes are taken ({setting}), these are at least {excess} too many: send fewer"
    found.reject("TOO_MANY_ATTRIBUTES", path, message)
