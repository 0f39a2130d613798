"""Settings: every `LOANSVC_…` environment variable, read here and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from loansvc.errors import SetupRefused

PREFIX = "LOANSVC_"


SHIPPED = Path()  # stands for "the editions that come with loansvc"
HOME = Path("var")
CRYPTOGRAPHY = ("international", "commercial")
WORKERS = ("threads", "asgi")
WAYS = ("key", "signature", "token", "console")
_PUBLIC_URL = re.compile(
    r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?", re.ASCII
)
Network = IPv4Network | IPv6Network
NOBODY = "none"
LOG_LEVELS = ("debug", "info", "warning", "error")


def _about(says: str, *, secret: bool = False) -> dict[str, Any]:
    return {"says": says, "secret": secret}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this installation is set up. Each field is the variable `LOANSVC_` + its name."""

    home: Path = field(default=HOME, metadata=_about("folder of database, keys and secrets"))
    database_url: str = field(
        default="",
        metadata=_about(
            "sqlite or postgresql URL of the ledger; default: ledger.db in home", secret=True
        ),
    )
    models: Path = field(
        default=SHIPPED, metadata=_about("folder of editions; default: those shipped")
    )
    vault_keys: str = field(
        default="",
        metadata=_about("the outer keys as JSON; default: vault.json in home", secret=True),
    )
    cryptography: str = field(
        default="international",
        metadata=_about("suite of new outer keys: international, or commercial (SM3, SM4)"),
    )
    host: str = field(default="127.0.0.1", metadata=_about("address to listen on"))
    port: int = field(default=8000, metadata=_about("port to listen on"))
    workers: int = field(
        default=2, metadata=_about("worker processes; else WEB_CONCURRENCY if that is set")
    )
    worker: str = field(
        default=WORKERS[0], metadata=_about("what a worker is: threads, or asgi, which is faster")
    )
    threads: int = field(default=64, metadata=_about("threads of each worker"))
    concurrency: int = field(default=6, metadata=_about("requests that a worker works on at once"))
    queue: int = field(
        default=32, metadata=_about("requests that wait for that; those after are told to retry")
    )
    proxy: str = field(
        default="",
        metadata=_about(
            "address of the proxy whose X-Request-Start and X-Forwarded-For are believed"
        ),
    )
    busy_timeout_ms: int = field(
        default=2000, metadata=_about("how long to wait for another writer of the ledger")
    )
    rate_limit: int = field(
        default=60_000, metadata=_about("requests of one client in a minute, of all workers")
    )
    rate_store: str = field(
        default="",
        metadata=_about("redis://… that counts them; default: each worker its share", secret=True),
    )
    probing_flag: int = field(
        default=5, metadata=_about("variants of one person a client may try in a day unnoticed")
    )
    probing_limit: int = field(
        default=20, metadata=_about("variants of one person a client may try in a day at all")
    )
    batch_rows: int = field(default=100_000, metadata=_about("rows that a batch may have"))
    batch_mb: int = field(default=200, metadata=_about("megabytes that a batch may have"))
    batch_queue: int = field(
        default=4, metadata=_about("batches of one client that may wait at once")
    )
    batch_days: int = field(
        default=7, metadata=_about("days after which a batch that is over is dropped")
    )
    webhook_days: int = field(
        default=30,
        metadata=_about("days after which a message that was sent or given up is deleted"),
    )
    operator: str = field(
        default="", metadata=_about("who is at the shell; default: the login name")
    )
    access: str = field(
        default="key,signature,token,console",
        metadata=_about("what clients may come with; in production: signature,token,console"),
    )
    issuers: Path = field(
        default=SHIPPED, metadata=_about("TOML file of the issuers whose tokens are taken")
    )
    public_url: str = field(
        default="", metadata=_about("where clients reach it, if not at its own address")
    )
    log_level: str = field(default="info", metadata=_about("debug, info, warning or error"))
    log_requests: str = field(
        default="no", metadata=_about("yes: a line of the log for each request")
    )
    metrics: str = field(
        default="127.0.0.0/8,::1",
        metadata=_about("addresses and networks that may read /metrics, or none"),
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """The settings of this process.

        Raises:
            SetupRefused: a variable is not known or its value does not fit.
        """
        known = {PREFIX + f.name.upper(): f for f in fields(cls)}
        values: dict[str, Any] = {}
        if "WEB_CONCURRENCY" in environ:
            values["workers"] = _number("WEB_CONCURRENCY", environ["WEB_CONCURRENCY"])
        for name, text in environ.items():
            if not name.startswith(PREFIX) or not text or _is_service_link(name, text):
                continue
            if name not in known:
                raise SetupRefused(f"{name} is not a setting. Settings are {', '.join(known)}.")
            default = known[name].default
            if isinstance(default, int):
                values[known[name].name] = _number(name, text)
            else:
                values[known[name].name] = Path(text) if isinstance(default, Path) else text
        if values.get("port", 1) > 65_535:
            raise SetupRefused(f"{PREFIX}PORT must be a whole number from 1 to 65535.")
        if values.get("log_level", "info").lower() not in LOG_LEVELS:
            raise SetupRefused(f"{PREFIX}LOG_LEVEL must be one of {', '.join(LOG_LEVELS)}.")
        if values.get("worker", WORKERS[0]) not in WORKERS:
            raise SetupRefused(f"{PREFIX}WORKER must be one of {', '.join(WORKERS)}.")
        if values.get("cryptography", CRYPTOGRAPHY[0]) not in CRYPTOGRAPHY:
            raise SetupRefused(f"{PREFIX}CRYPTOGRAPHY must be one of {', '.join(CRYPTOGRAPHY)}.")
        if values.get("log_requests", "no") not in ("yes", "no"):
            raise SetupRefused(f"{PREFIX}LOG_REQUESTS must be yes or no.")
        _check_access(values)
        _networks(values.get("metrics", NOBODY))
        return cls(**values)

    @property
    def ways(self) -> tuple[str, ...]:
        """What clients may come with, of WAYS."""
        return tuple(way.strip() for way in self.access.split(","))

    @property
    def metrics_networks(self) -> tuple[Network, ...]:
        """Where /metrics may be read from."""
        return _networks(self.metrics)

    @property
    def url(self) -> str:
        """The ledger's database URL, the default filled in."""
        return self.database_url or f"sqlite:///{(self.home / 'ledger.db').absolute()}"

    @property
    def address(self) -> str:
        """Host and port as one text, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def models_folder(self) -> Path:
        """The folder of editions, the default filled in."""
        return self.models if self.models != SHIPPED else shipped("models")

    def listed(self) -> Iterator[tuple[str, str, str]]:
        """Name, value (secrets masked) and meaning of every setting."""
        for f in fields(self):
            value = getattr(self, f.name)
            masked = "(set)" if f.metadata["secret"] and value else str(value)
            text = "" if value == SHIPPED else masked
            yield PREFIX + f.name.upper(), text, f.metadata["says"]


def _check_access(values: Mapping[str, Any]) -> None:
    ways = [way.strip() for way in values.get("access", WAYS[0]).split(",")]
    if set(ways) - set(WAYS):
        raise SetupRefused(f"{PREFIX}ACCESS must be one or more of {','.join(WAYS)}.")
    url = values.get("public_url", "")
    if url and not re.fullmatch(
        r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?", url, re.ASCII
    ):
        raise SetupRefused(f"{PREFIX}PUBLIC_URL must be like https://credit.example.cn")


def _networks(text: str) -> tuple[Network, ...]:
    try:
        named = [] if text == NOBODY else text.split(",")
        return tuple(ip_network(one.strip()) for one in named)
    except ValueError:
        raise SetupRefused(
            f"{PREFIX}METRICS must be {NOBODY}, or addresses and networks such as "
            "127.0.0.0/8,10.1.2.3"
        ) from None


def shipped(name: str) -> Path:
    """What comes with loansvc: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / name
    return inside if inside.exists() else package.parent / name


def wants_spans(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the variables of OpenTelemetry name a place for spans; the rest of them it reads."""
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    is_off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return any(environ.get(name) for name in names) and not is_off


def _is_service_link(name: str, text: str) -> bool:
    """What Kubernetes sets for a Service that is named loansvc; nobody's setting."""
    return name.startswith((f"{PREFIX}SERVICE_", f"{PREFIX}PORT_")) or text.startswith("tcp://")


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) < 1_000_000:
        raise SetupRefused(f"{name} must be a whole number from 1 to 999999.")
    return int(text)
