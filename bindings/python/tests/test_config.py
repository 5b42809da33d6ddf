"""The constructor's arguments: aiokafka's, and `config`."""

from __future__ import annotations

import inspect
import os
import ssl
import subprocess
import sys
import unittest
from typing import Any
from unittest import mock

from cluster import ERROR, PRODUCE
from support import ClusterTestCase, soon

from kprod import KprodProducer, _library

NOT_ENOUGH_REPLICAS = 19
DEFAULTS: dict[str, Any] = {
    "loop": None,
    "bootstrap_servers": "localhost",
    "client_id": None,
    "metadata_max_age_ms": 300000,
    "request_timeout_ms": 40000,
    "api_version": None,
    "acks": mock.ANY,
    "key_serializer": None,
    "value_serializer": None,
    "compression_type": None,
    "max_batch_size": 16384,
    "partitioner": mock.ANY,
    "max_request_size": 1048576,
    "linger_ms": 0,
    "retry_backoff_ms": 100,
    "security_protocol": "PLAINTEXT",
    "ssl_context": None,
    "connections_max_idle_ms": 540000,
    "enable_idempotence": False,
    "transactional_id": None,
    "transaction_timeout_ms": 60000,
    "sasl_mechanism": "PLAIN",
    "sasl_plain_password": None,
    "sasl_plain_username": None,
    "sasl_kerberos_service_name": "kafka",
    "sasl_kerberos_domain_name": None,
    "sasl_oauth_token_provider": None,
}


class Arguments(ClusterTestCase):
    def test_names_and_defaults_are_aiokafka_s(self) -> None:
        parameters = dict(inspect.signature(KprodProducer).parameters)
        self.assertIsNone(parameters.pop("config").default)
        self.assertEqual({name: parameter.default for name, parameter in parameters.items()}, DEFAULTS)
        self.assertEqual({parameter.kind for parameter in parameters.values()}, {inspect.Parameter.KEYWORD_ONLY})
        expected = ["self", "topic", "value", "key", "partition", "timestamp_ms", "headers"]
        for method in (KprodProducer.send, KprodProducer.send_and_wait):
            self.assertEqual(list(inspect.signature(method).parameters), expected)

    async def test_a_retry_at_once(self) -> None:
        self.cluster.inject(ERROR, error=NOT_ENOUGH_REPLICAS, times=2)
        producer = await self.producer(retry_backoff_ms=0)
        self.assertEqual((await soon(producer.send_and_wait("topic", b"x", partition=0))).offset, 0)

    def refusal(self, **arguments: Any) -> str:
        with self.assertRaises(ValueError) as caught:
            KprodProducer(**arguments)
        return str(caught.exception)

    async def test_wrong_values(self) -> None:
        self.assertIn("ACKS", self.refusal(acks=122))
        self.assertIn("compression", self.refusal(compression_type="rar"))
        self.assertIn("acks=1", self.refusal(enable_idempotence=True, acks=1))
        self.assertIn("acks=0", self.refusal(transactional_id="id", acks=0))
        self.assertIn("security_protocol", self.refusal(security_protocol="TLS"))
        self.assertIn("sasl_mechanism", self.refusal(security_protocol="SASL_PLAINTEXT", sasl_mechanism="GSSAPI"))
        self.assertIn("sasl_plain_username", self.refusal(security_protocol="SASL_PLAINTEXT"))
        # The library's own refusals.
        self.assertIn("linger.ms", self.refusal(linger_ms=-1))
        self.assertIn("batch.size", self.refusal(config={"batch.sise": 1}))
        self.assertIn("kprod.delivery.reports", self.refusal(config={"kprod.delivery.reports": "none"}))

    async def test_what_would_be_cut_or_is_of_another_type(self) -> None:
        self.assertIn("linger.ms", self.refusal(config={"linger.ms": "5\0"}))
        said = self.refusal(security_protocol="SASL_SSL", sasl_plain_username="a", sasl_plain_password="secret\0b")
        self.assertIn("sasl.password", said)
        self.assertNotIn("secret", said)
        wrong = {"bootstrap_servers": None, "config": 5, "max_request_size": None, "metadata_max_age_ms": None}
        for argument, value in wrong.items():
            with self.assertRaisesRegex(TypeError, argument):
                KprodProducer(**{argument: value})  # type: ignore[arg-type]

    async def test_an_ssl_context_is_refused_with_what_to_use(self) -> None:
        message = self.refusal(security_protocol="SSL", ssl_context=ssl.create_default_context())
        for name in ("ssl.ca.location", "ssl.certificate.location", "ssl.key.location"):
            self.assertIn(name, message)
        self.assertIn("sasl.oauthbearer.token", self.refusal(sasl_oauth_token_provider=object()))

    async def test_arguments_reach_the_library(self) -> None:
        with mock.patch.object(_library, "create", wraps=_library.create) as create:
            producer = KprodProducer(
                bootstrap_servers=["one:1", "two:2"],
                client_id="me",
                metadata_max_age_ms=1,
                request_timeout_ms=2,
                acks="all",
                compression_type="gzip",
                max_batch_size=3,
                max_request_size=4,
                linger_ms=0.5,
                retry_backoff_ms=6,
                security_protocol="SASL_PLAINTEXT",
                connections_max_idle_ms=None,
                sasl_mechanism="SCRAM-SHA-256",
                sasl_plain_username="user",
                sasl_plain_password="secret",
                config={"buffer.memory": 100000, "socket.nagle.disable": False},
            )
        properties = dict(create.call_args.args[0])
        for ours in ("client.software.name", "client.software.version"):
            self.assertTrue(properties.pop(ours))
        self.assertEqual(
            properties,
            {
                "bootstrap.servers": "one:1,two:2",
                "client.id": "me",
                "metadata.max.age.ms": "1",
                "request.timeout.ms": "2",
                "max.block.ms": "2",
                "acks": "all",
                "compression.type": "gzip",
                "batch.size": "3",
                "max.request.size": "4",
                "linger.ms": "0.5",
                "retry.backoff.ms": "6",
                "security.protocol": "SASL_PLAINTEXT",
                "connections.max.idle.ms": "-1",
                "sasl.mechanism": "SCRAM-SHA-256",
                "sasl.username": "user",
                "sasl.password": "secret",
                "buffer.memory": "100000",
                "socket.nagle.disable": "false",
            },
        )
        await producer.stop()

    async def test_config_names_properties_under_any_name(self) -> None:
        config = {"queue.buffering.max.ms": 60000, "bootstrap.servers": self.cluster.bootstrap}
        async with KprodProducer(config=config) as producer:
            future = await producer.send("topic", b"x", partition=0)
            await self.eventually(lambda: not producer._outgoing.values)
            self.assertEqual(self.cluster.request_count(PRODUCE), 0)
            await soon(producer.flush())
            self.assertTrue(future.done())

    async def test_the_library_s_own_mock_cluster(self) -> None:
        async with KprodProducer(config={"test.mock.num.brokers": 1}) as producer:
            self.assertEqual((await soon(producer.send_and_wait("topic", b"x", partition=0))).offset, 0)


class TheLibrary(unittest.TestCase):
    def test_one_that_is_not_there_is_an_import_error(self) -> None:
        said = self.run_with("/nowhere/libkprod.so.0")
        self.assertIn("ImportError", said)
        self.assertIn("KPROD_LIBRARY", said)

    def test_one_that_is_another_is_an_import_error(self) -> None:
        self.assertIn("has no kprod_version", self.run_with("libc.so.6"))

    def test_another_version_is_an_import_error(self) -> None:
        with mock.patch.object(_library, "VERSION", (0, 99)), self.assertRaises(ImportError) as caught:
            _library.load.__wrapped__()
        self.assertIn("0.99", str(caught.exception))

    def run_with(self, library: str) -> str:
        program = "import asyncio, kprod\nasync def main(): kprod.KprodProducer()\nasyncio.run(main())"
        environment = {**os.environ, "KPROD_LIBRARY": library}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        return done.stderr


if __name__ == "__main__":
    unittest.main()
