"""Assemble the SDK wheel: this folder as `bank_sdk`, plus the contract it speaks.

A bank installs one wheel and mirrors nothing else. In the workspace (editable) both packages
are imported live, so the contract is never copied and cannot go stale.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SdkWheel(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        here = Path(self.root)
        contract = here.parent / "proto" / "xinyidai"
        if not contract.is_dir():
            raise FileNotFoundError(f"build the SDK from a full checkout: {contract} is missing")
        for name, root in {"bank_sdk": here, "xinyidai": contract}.items():
            for path in root.rglob("*"):
                shipped = path.suffix in {".py", ".pyi", ".yaml"} or path.name == "py.typed"
                if shipped and path.name != "hatch_build.py":
                    build_data["force_include"][str(path)] = f"{name}/{path.relative_to(root)}"
