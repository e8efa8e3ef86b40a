"""The migrations are one chain, and the release knows its end."""

from alembic.config import Config
from alembic.script import ScriptDirectory

from app.store.tables import SCHEMA_VERSION
from tests.architecture.sources import ROOT


def test_the_migrations_are_one_chain_numbered_by_age() -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(ROOT / "migrations"))
    scripts = ScriptDirectory.from_config(configuration)
    revisions = [script.revision for script in scripts.walk_revisions()][::-1]
    files = sorted(path.name for path in (ROOT / "migrations" / "versions").glob("0*.py"))
    numbers = [f"{number:04}" for number in range(1, SCHEMA_VERSION + 1)]
    assert revisions == numbers
    assert [name.partition("_")[0] for name in files] == numbers
