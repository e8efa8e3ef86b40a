"""Pages made from code are up to date, and links between pages lead somewhere."""

import re

from app.settings import Settings
from docs import (
    generate_cli,
    generate_dashboard,
    generate_errors,
    generate_metrics,
    generate_settings,
    generate_tinybase_room,
)
from tests.architecture.sources import ROOT, name_of, python_files, tracked

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_the_settings_page_is_up_to_date() -> None:
    page = generate_settings.PAGE.read_text("utf-8")
    assert page == generate_settings.page(), "run `make docs`"


def test_every_setting_has_an_effect_somewhere() -> None:
    code = "\n".join(path.read_text("utf-8") for path in python_files("app"))
    idle = [
        name
        for name in Settings.model_fields
        if not re.search(rf"(settings|self)\.{name}\b|field_validator\(\"{name}\"\)", code)
    ]
    assert not idle, "\n".join(idle)


def test_the_page_of_errors_is_up_to_date_and_no_code_stands_twice() -> None:
    page = generate_errors.PAGE.read_text("utf-8")
    assert page == generate_errors.page(), "run `make docs`"
    codes = [kind.code for kind in generate_errors.classes()]
    assert len(set(codes)) == len(codes)


def test_the_page_of_metrics_is_up_to_date() -> None:
    page = generate_metrics.PAGE.read_text("utf-8")
    assert page == generate_metrics.page(), "run `make docs`"


def test_the_dashboard_is_up_to_date() -> None:
    text = generate_dashboard.PAGE.read_text("utf-8")
    assert text == generate_dashboard.page(), "run `make docs`"


def test_the_page_of_the_tinybase_room_is_up_to_date() -> None:
    page = generate_tinybase_room.PAGE.read_text("utf-8")
    assert page == generate_tinybase_room.page(), "run `make docs`"


def test_the_guide_to_the_server_class_shows_the_example_as_it_is() -> None:
    guide = (ROOT / "docs/guides/tinybase-server-class.md").read_text("utf-8")
    assert (ROOT / "examples/tinybase-server/server.py").read_text("utf-8") in guide


def test_every_setting_stands_in_exactly_one_group_of_the_page() -> None:
    names = [name for group in generate_settings.GROUPS.values() for name in group]
    assert sorted(names) == sorted(Settings.model_fields)


def test_the_page_of_the_command_line_is_what_the_code_says() -> None:
    page = generate_cli.PAGE.read_text("utf-8")
    assert page == generate_cli.page(), "run `make docs`"


def test_every_link_between_pages_leads_to_a_file() -> None:
    broken = [
        f"{name_of(page_path)}: {target}"
        for page_path in tracked()
        if page_path.suffix == ".md"
        for target in LINK.findall(page_path.read_text("utf-8"))
        if "://" not in target and not (page_path.parent / target).exists()
    ]
    assert not broken, "\n".join(broken)


def test_the_readme_names_only_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", (ROOT / "README.md").read_text("utf-8")))
    assert named <= targets
