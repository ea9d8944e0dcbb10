"""Programs in JavaScript that tests run in node: another implementation of JOSE, and the page's own verification."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "browser"
_NODE = Path(sys.executable).parent / "node"


def run_node(script: str, request: Any) -> Any:
    """Run a script of tests/browser with a JSON value on standard input; returns the JSON value it prints."""
    done = subprocess.run(
        [str(_NODE), str(FOLDER / script)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
