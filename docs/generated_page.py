"""A page that is generated from the code: written, or compared with `--check`."""

import sys
from pathlib import Path


def write_or_check(page: Path, text: str) -> int:
    """Write the page, or with `--check` say whether it is up to date; return the status."""
    if "--check" not in sys.argv[1:]:
        page.write_text(text, "utf-8")
        return 0
    if page.exists() and page.read_text("utf-8") == text:
        return 0
    sys.stderr.write(f"{page.name} is not up to date; run `make docs`\n")
    return 1
