"""Lay the pages of the site out in build/pages, whole in themselves; `make site` builds from there.

The pages are read in a checkout as well, so they point at examples and configurations where those
lie, `../../deploy/...`. A site has nothing outside itself: what such a link leads to is laid out
under `source/` and the link is turned there; a folder stands for its README. A link to nothing
stays as it is: to a page, it fails the strict build.
"""

import os
import posixpath
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "build/pages"
_LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)#\s]+)(?=(#[^)\s]*)?\))")
_LANGUAGES = {".py": "python", ".yml": "yaml", ".yaml": "yaml", ".json": "json", ".js": "js"}


def stage(pages: Path = PAGES) -> None:
    """Write every page of docs/ below `pages`, which is made anew, with what it leads to."""
    shutil.rmtree(pages, ignore_errors=True)
    brought: set[Path] = set()
    for source in sorted((ROOT / "docs").rglob("*")):
        if source.suffix not in {".md", ".json", ".svg", ".png"}:
            continue
        target = pages / source.relative_to(ROOT / "docs")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            target.write_text(_turned(source, target, pages, brought), "utf-8")
        else:
            shutil.copyfile(source, target)
    for path in sorted(brought):
        _bring(path, pages)


def _turned(source: Path, target: Path, pages: Path, brought: set[Path]) -> str:
    """The text of a page, its links that lead out of docs/ turned; what they name is collected."""

    def turn(link: re.Match[str]) -> str:
        path = _led_to(source, link[1])
        if path is None or path.is_relative_to(ROOT / "docs"):
            return link[0]
        brought.add(path)
        return Path(os.path.relpath(_page_of(path, pages), target.parent)).as_posix()

    return _LINK.sub(turn, source.read_text("utf-8"))


def _led_to(source: Path, link: str) -> Path | None:
    """The file of the checkout that a link of a page names."""
    path = Path(posixpath.normpath(source.parent / link))
    if not path.is_relative_to(ROOT):
        return None
    path = path / "README.md" if path.is_dir() else path
    return path if path.is_file() else None


def _page_of(path: Path, pages: Path) -> Path:
    name = path.relative_to(ROOT).as_posix()
    return pages / "source" / (name if path.suffix == ".md" else f"{name}.md")


def _bring(path: Path, pages: Path) -> None:
    """Write the page of a file outside docs/: a text as it is, anything else as a listing."""
    target = _page_of(path, pages)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        # Its own links are those of the checkout: they are shown, and lead nowhere here.
        text = re.sub(r"(?<!!)\[([^\]]+)\]\((?!\w+:)(?!#)[^)]*\)", r"\1", text)
    else:
        name = path.relative_to(ROOT).as_posix()
        text = f"# `{name}`\n\n````{_LANGUAGES.get(path.suffix, '')}\n{text}````\n"
    target.write_text(text, "utf-8")


if __name__ == "__main__":
    stage()
