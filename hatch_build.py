"""Build hook: in the wheel `app/` is `stateroom/app/` and `migrations/` is `stateroom/migrations/`.

Our users have an `app` package of their own, so ours must not be installed under that name.
Imports inside `app` are relative and need no change. The few files of `stateroom/` say
`from app... import ...`; the wheel gets copies of them that say `from stateroom.app... import ...`.
An editable installation is left alone: there the checkout itself is on the path.
"""

import re
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

APP_IMPORT = re.compile(r"^(\s*)from app\b", re.MULTILINE)


class WheelLayout(BuildHookInterface[Any]):
    """Maps the tree of the checkout to the tree of the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the rewritten public package, the application and its migrations."""
        if version == "editable":
            return
        root = Path(self.root)
        # Kept on the instance: hatchling reads the files after this method has returned.
        self._rewritten = tempfile.TemporaryDirectory(prefix="stateroom-wheel-")
        include: dict[str, str] = build_data["force_include"]
        for number, source in enumerate(sorted((root / "stateroom").rglob("*.py"))):
            copy = Path(self._rewritten.name) / f"{number}.py"
            text = APP_IMPORT.sub(r"\1from stateroom.app", source.read_text("utf-8"))
            copy.write_text(text, "utf-8")
            include[str(copy)] = source.relative_to(root).as_posix()
        include[str(root / "app")] = "stateroom/app"
        include[str(root / "migrations")] = "stateroom/migrations"
