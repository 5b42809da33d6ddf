"""Kafka producer for asyncio, on libkprod: usable as aiokafka's AIOKafkaProducer is."""

from . import errors
from ._version import VERSION as __version__
from .batch import BatchBuilder
from .errors import IllegalOperation
from .producer import DefaultPartitioner, KprodProducer
from .structs import OffsetAndMetadata, RecordMetadata, TopicPartition

AIOKafkaProducer = KprodProducer

__all__ = [
    "AIOKafkaProducer",
    "BatchBuilder",
    "DefaultPartitioner",
    "IllegalOperation",
    "KprodProducer",
    "OffsetAndMetadata",
    "RecordMetadata",
    "TopicPartition",
    "__version__",
    "errors",
]
