"""Build hook: in the wheel `app/` is `stateroom/app/` and `migrations/` is `stateroom/migrations/`.

Our users have an `app` package of their own, so ours must not be installed under that name.
Imports inside `app` are relative and need no change. The few files of `stateroom/` say
`from app... import ...`; the wheel gets copies of them that say `from stateroom.app... import ...`.
An editable installation is left alone: there the checkout itself is on the path.

Where a C compiler is, the modules named in build_native.py are compiled and lie in the wheel
beside their sources. STATEROOM_BUILD says what to do about that: `auto` (also when it is not
set) builds a pure wheel where compiling fails and says why, `native` fails then, `pure` never
compiles.
"""

import os
import re
import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

APP_IMPORT = re.compile(r"^(\s*)from app\b", re.MULTILINE)
WISH = "STATEROOM_BUILD"
NOT_INCLUDED = (".pyc", ".so", ".sha256")
"""What a checkout has made for itself."""
WISHES = ("auto", "native", "pure")


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
        for source in sorted((root / "app").rglob("*")):
            if source.is_file() and not source.name.endswith(NOT_INCLUDED):
                include[str(source)] = f"stateroom/{source.relative_to(root).as_posix()}"
        include[str(root / "migrations")] = "stateroom/migrations"
        if self._wish() != "pure":
            self._include_native(build_data)

    def dependencies(self) -> list[str]:
        """What compiling needs, where it will be tried."""
        native = self._native()
        if self.target_name != "wheel" or self._wish() == "pure" or native.tools_missing():
            return []
        return list(native.REQUIREMENTS)

    def _include_native(self, build_data: dict[str, Any]) -> None:
        """Add the compiled modules, which makes it a wheel for this Python on this machine."""
        native = self._native()
        self._compiled = tempfile.TemporaryDirectory(prefix="stateroom-native-")
        folder = Path(self._compiled.name)
        try:
            made = list(native.compile_for("stateroom.app", Path(self.root), folder))
        except native.NotCompiled as error:
            if self._wish() == "native":
                raise
            self.app.display_warning(f"a pure Python wheel: nothing was compiled, {error}")
            return
        for path in made:
            place = Path("stateroom/app") / path
            build_data["force_include"][str(folder / place)] = place.as_posix()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def _wish(self) -> str:
        wish = os.environ.get(WISH) or "auto"
        if wish not in WISHES:
            raise ValueError(f"{WISH}={wish}: it is one of {', '.join(WISHES)}")
        return wish

    def _native(self) -> ModuleType:
        """The other file of the build; a build does not have this folder on its path."""
        spec = spec_from_file_location("build_native", Path(self.root) / "build_native.py")
        assert spec is not None  # noqa: S101 - it lies beside this file
        assert spec.loader is not None  # noqa: S101 - likewise
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
