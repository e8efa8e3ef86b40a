"""The four proxies that `deploy/` has files for. How each is run is told in `bench.proxy`."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Final

from bench.proxy import Proxy, ProxyError
from bench.usage import ProcessTree

PROBE: Final = "/.well-known/a-room-to-look-for"
"""Asked for once or twice when Traefik starts."""

_LOOKS = 100
_LOOK_SECONDS = 0.02
_APT = "on Debian: apt-get install --no-install-recommends"


class Nginx(Proxy):
    """nginx. A reload leaves open sockets with its former processes."""

    name = program = "nginx"
    package = f"{_APT} nginx"
    files = ("nginx/nginx.conf", "nginx/stateroom.conf")

    def _places(self) -> dict[str, str]:
        # Where it may not write when it is not root.
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        scratch = "".join(f"\n    {kind}_temp_path {self._folder}/{kind};" for kind in kinds)
        return {
            "listen 80 ": f"listen 127.0.0.1:{self.port} ",
            "/run/nginx.pid": f"{self._folder}/pid",
            "/var/log/nginx/": f"{self._folder}/",
            "/etc/nginx/conf.d/*.conf": f"{self._folder}/stateroom.conf",
            "http {\n": f"http {{{scratch}\n",
        }

    def _command(self, program: str) -> list[str]:
        config = str(self._folder / "nginx.conf")
        return [program, "-p", str(self._folder), "-c", config, "-g", "daemon off;"]

    def log(self) -> str:
        """The end of what it has said."""
        errors = self._folder / "error.log"
        return super().log() + (errors.read_text()[-2000:] if errors.exists() else "")


class HaProxy(Proxy):
    """HAProxy. A reload leaves open sockets with its former process."""

    name = "HAProxy"
    program = "haproxy"
    package = f"{_APT} haproxy"
    files = ("haproxy/haproxy.cfg",)

    def _places(self) -> dict[str, str]:
        return {"bind :80\n": f"bind 127.0.0.1:{self.port}\n"}

    def _command(self, program: str) -> list[str]:
        return [program, "-W", "-f", str(self._folder / "haproxy.cfg")]

    async def _reload(self) -> None:
        # The master begins by running its own program anew; a signal in that moment is lost.
        tree = ProcessTree(self.pid)
        before = set(tree.pids())
        while not set(tree.pids()) - before:
            os.kill(self.pid, signal.SIGUSR2)
            for _ in range(_LOOKS):
                await asyncio.sleep(_LOOK_SECONDS)
                if set(tree.pids()) - before:
                    break


class Caddy(Proxy):
    """Caddy. A reload ends open sockets with 1001, before its version 2.7 at any rate."""

    name = "Caddy"
    program = "caddy"
    package = f"{_APT} caddy"
    files = ("caddy/Caddyfile",)

    def _places(self) -> dict[str, str]:
        return {
            "\n:80 {\n": f"\n:{self.port} {{\n\tbind 127.0.0.1\n",
            "admin localhost:2019": f"admin unix/{self._folder}/admin",
        }

    def _command(self, program: str) -> list[str]:
        return [program, "run", *self._config()]

    def _config(self) -> list[str]:
        return ["--config", str(self._folder / "Caddyfile"), "--adapter", "caddyfile"]

    def _environment(self) -> dict[str, str]:
        own = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
        return {**super()._environment(), **dict.fromkeys(own, str(self._folder))}

    async def _reload(self) -> None:
        ran = await asyncio.to_thread(
            subprocess.run,
            [self._program(), "reload", *self._config()],
            env=self._environment(),
            capture_output=True,
            check=False,
        )
        if ran.returncode:
            raise ProxyError(f"caddy reload: {ran.stderr.decode()}")


class Traefik(Proxy):
    """Traefik. It watches its file, and open sockets stay."""

    name = "Traefik"
    program = "traefik"
    package = "no distribution has it; make setup brings it"
    files = ("traefik/traefik.yml", "traefik/stateroom.yml")

    def _places(self) -> dict[str, str]:
        return {
            'address: ":80"': f"address: 127.0.0.1:{self.port}",
            "directory: /etc/traefik/dynamic": f"filename: {self._folder}/stateroom.yml",
            "graceTimeOut: 10s": "graceTimeOut: 1s",
        }

    def _command(self, program: str) -> list[str]:
        return [program, f"--configFile={self._folder / 'traefik.yml'}"]

    async def _reload(self) -> None:
        """Nothing to do: it sees that the file has changed."""

    def _serves(self) -> bool:
        """It listens before it has read where to; then there is nothing at any address."""
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}{PROBE}", timeout=1.0).close()
        except urllib.error.HTTPError as refusal:
            return refusal.code != HTTPStatus.NOT_FOUND
        except OSError:
            return False
        return True


ALL: Final[tuple[type[Proxy], ...]] = (Nginx, HaProxy, Caddy, Traefik)
