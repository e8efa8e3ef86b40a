"""The site of docs/ builds, its links between pages lead somewhere, and it asks no other host."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.stage_site import stage
from tests.architecture.sources import ROOT

PAGES = "build/pages"
# What a browser fetches by itself, from another host.
ASKED = re.compile(r"<(?:script|img|iframe|link|source)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//")


def staged(folder: Path) -> Path:
    """The pages and the configuration of the site in a folder of the test's own."""
    (folder / "mkdocs.yml").write_text((ROOT / "mkdocs.yml").read_text("utf-8"), "utf-8")
    stage(folder / PAGES)
    return folder


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site as `make site` does."""
    return subprocess.run(
        [Path(sys.executable).with_name("zensical"), "build", "--clean", "--strict"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_site_builds_in_strict_mode_and_asks_no_other_host(tmp_path: Path) -> None:
    built = build(staged(tmp_path))
    assert built.returncode == 0, built.stdout + built.stderr
    pages = list((tmp_path / "build/site").rglob("*.html"))
    assert len(pages) >= len(list((ROOT / "docs").rglob("*.md")))
    assert [page.name for page in pages if ASKED.search(page.read_text("utf-8"))] == []


@pytest.mark.parametrize("link", ["quickstart.md#nowhere", "nowhere.md"])
def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path, link: str) -> None:
    page = staged(tmp_path) / PAGES / "index.md"
    page.write_text(f"{page.read_text('utf-8')}\nSee [this]({link}).\n", "utf-8")
    assert build(tmp_path).returncode != 0


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"[\w./-]+\.md", (ROOT / "mkdocs.yml").read_text("utf-8")))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    # A decision is reached from the list of decisions.
    wanted = {page for page in pages if not page.startswith("decisions/0")}
    assert wanted == listed, "set it in mkdocs.yml, under nav"
