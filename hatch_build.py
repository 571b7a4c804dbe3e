"""Compiles the fold when Luot is installed, where there is a compiler: see fold-in-c.md."""

import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """The library belongs into a wheel, and beside its sources where Luot runs from those."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files are gathered."""
        path = "services/aggregator/kernel/build.py"
        build = runpy.run_path(str(Path(self.root) / path))
        try:
            library = build["compile_library"]()
        except build["CompilerError"] as error:
            self.app.display_warning(f"Luot will fold in Python: {error}")
            return
        build_data["artifacts"].append(str(library.relative_to(self.root)))
        if version != "editable":
            build_data["pure_python"] = False
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{platform}"
