"""From the constructor's arguments to the library's properties."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from . import _version

MISSING: Any = object()

_SSL_HELP = (
    "an ssl_context cannot be used, for its keys cannot be taken out of it. Name the PEM files instead, in config: "
    "ssl.ca.location, ssl.certificate.location, ssl.key.location and ssl.key.password, "
    "or give their text as ssl.truststore.certificates, ssl.keystore.certificate.chain and ssl.keystore.key"
)
_TOKEN_HELP = (
    'a sasl_oauth_token_provider cannot be used: fetch the token and give it as config={"sasl.oauthbearer.token": ...}'
)
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_client_numbers = itertools.count(1)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _servers(servers: Union[str, Iterable[str]]) -> str:
    if isinstance(servers, str):
        return servers
    try:
        return ",".join(servers)
    except TypeError:
        raise TypeError(f"bootstrap_servers has to be a str or several, not {servers!r}") from None


def _check_sasl(arguments: Mapping[str, Any]) -> None:
    mechanism = arguments["sasl_mechanism"]
    if mechanism not in _MECHANISMS:
        raise ValueError(f"sasl_mechanism should be one of {', '.join(_MECHANISMS)}")
    if mechanism == "PLAIN" and None in (arguments["sasl_plain_username"], arguments["sasl_plain_password"]):
        raise ValueError("sasl_plain_username and sasl_plain_password required for PLAIN sasl")


def _check(arguments: Mapping[str, Any]) -> None:
    """What aiokafka refuses, with the exceptions that it raises."""
    acks = arguments["acks"]
    if acks is not MISSING and acks not in (0, 1, -1, "all"):
        raise ValueError("Invalid ACKS parameter")
    if arguments["compression_type"] not in ("gzip", "snappy", "lz4", "zstd", None):
        raise ValueError("Invalid compression type!")
    idempotent = arguments["enable_idempotence"] or arguments["transactional_id"] is not None
    if idempotent and acks is not MISSING and acks not in ("all", -1):
        raise ValueError(f"acks={acks} not supported if enable_idempotence=True")
    protocol = arguments["security_protocol"]
    if protocol not in ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"):
        raise ValueError("security_protocol should be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
    if arguments["ssl_context"] is not None:
        raise ValueError(_SSL_HELP)
    if arguments["sasl_oauth_token_provider"] is not None:
        raise ValueError(_TOKEN_HELP)


# The argument, its property, and its default, which is the property's too: then nothing is set, and `config` may name
# the property under any of its names.
_PROPERTIES: tuple[tuple[str, str, object], ...] = (
    ("metadata_max_age_ms", "metadata.max.age.ms", 300000),
    ("request_timeout_ms", "request.timeout.ms", 40000),
    ("acks", "acks", MISSING),
    ("compression_type", "compression.type", None),
    ("max_batch_size", "batch.size", 16384),
    ("max_request_size", "max.request.size", 1048576),
    ("linger_ms", "linger.ms", 0),
    ("retry_backoff_ms", "retry.backoff.ms", 100),
    ("security_protocol", "security.protocol", "PLAINTEXT"),
    ("connections_max_idle_ms", "connections.max.idle.ms", 540000),
    ("enable_idempotence", "enable.idempotence", False),
    ("transactional_id", "transactional.id", None),
    ("transaction_timeout_ms", "transaction.timeout.ms", 60000),
    ("sasl_mechanism", "sasl.mechanism", "PLAIN"),
    ("sasl_plain_username", "sasl.username", None),
    ("sasl_plain_password", "sasl.password", None),
)


_NONE_IS_ENDLESS = ("connections_max_idle_ms",)
# Not to wait is not among the library's values: the shortest wait is the nearest.
_ZERO_IS_ONE = ("retry_backoff_ms",)


def properties(arguments: Mapping[str, Any], config: Optional[Mapping[str, object]]) -> list[tuple[str, str]]:
    """The properties to set, for the constructor's arguments and what `config` adds to them."""
    _check(arguments)
    if config is not None and not isinstance(config, Mapping):
        raise TypeError(f"config has to be a mapping of properties, not {config!r}")
    given = {_text(key): _text(value) for key, value in (config or {}).items()}
    protocol = given.get("security.protocol", arguments["security_protocol"])
    if protocol.upper().startswith("SASL") and not any(key.startswith("sasl.") for key in given):
        _check_sasl(arguments)
    chosen: dict[str, str] = {}
    for argument, key, default in _PROPERTIES:
        value = arguments[argument]
        if value is not default and value != default:
            if value is None and argument not in _NONE_IS_ENDLESS:
                raise TypeError(f"{argument} must not be None")
            if value == 0 and argument in _ZERO_IS_ONE:
                value = 1
            chosen[key] = _text(-1 if value is None else value)
    # As in aiokafka, one limit for both: how long a send waits for metadata and room, and a request for its answer.
    if "request.timeout.ms" in chosen:
        chosen["max.block.ms"] = chosen["request.timeout.ms"]
    if not any(given.get(key) for key in ("bootstrap.servers", "metadata.broker.list", "test.mock.num.brokers")):
        chosen["bootstrap.servers"] = _servers(arguments["bootstrap_servers"])
    client_id = arguments["client_id"]
    chosen["client.id"] = _text(client_id) if client_id is not None else f"kprod-producer-{next(_client_numbers)}"
    chosen["client.software.name"] = "kprod-python"
    chosen["client.software.version"] = _version.VERSION
    chosen.update(given)
    if chosen.get("kprod.delivery.reports", "all") != "all" or "delivery.report.only.error" in chosen:
        raise ValueError(
            "kprod.delivery.reports must be left at all: the futures of send() are resolved by the reports"
        )
    for key, value in chosen.items():
        if "\0" in key or "\0" in value:
            # Not the value, which may be a password.
            raise ValueError(f"{key!r} has a NUL in its name or value, at which the library's strings end")
    return list(chosen.items())
