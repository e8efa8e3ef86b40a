"""What an examination finds: a line of a table, or of JSON."""

from dataclasses import dataclass
from enum import StrEnum

from .terminal_text import one_line


class Verdict(StrEnum):
    """How a finding is judged."""

    GOOD = "ok"
    DOUBTFUL = "note"
    BAD = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the table.

    Attributes:
        subject: What was looked at.
        verdict: How it is judged.
        text: What was found.
        remedy: What to do about it, if anything.
    """

    subject: str
    verdict: Verdict
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.text.rstrip('.')}. {self.remedy}" if self.remedy else self.text
        return one_line(f"{self.verdict:<5} {self.subject:<15} {text}")

    def as_json(self) -> dict[str, str]:
        """The finding as programs read it; `verdict` is ok, warn or fail."""
        return {
            "subject": self.subject,
            "verdict": _IN_JSON[self.verdict],
            "text": self.text,
            "remedy": self.remedy,
        }


_IN_JSON = {Verdict.GOOD: "ok", Verdict.DOUBTFUL: "warn", Verdict.BAD: "fail"}


def good(subject: str, text: str) -> Finding:
    """What is as it should be."""
    return Finding(subject=subject, verdict=Verdict.GOOD, text=text)


def doubtful(subject: str, text: str, remedy: str = "") -> Finding:
    """What may be meant so."""
    return Finding(subject=subject, verdict=Verdict.DOUBTFUL, text=text, remedy=remedy)


def bad(subject: str, text: str, remedy: str = "") -> Finding:
    """What must be mended."""
    return Finding(subject=subject, verdict=Verdict.BAD, text=text, remedy=remedy)
