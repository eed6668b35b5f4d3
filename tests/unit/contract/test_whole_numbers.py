"""Every whole number that a caller or partner sends fits into a database's column, by the contract's own rules."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

import gateway.v1
from buf.validate import validate_pb2

MOST = 2**63 - 1
"""Largest number of SQLite's and PostgreSQL's widest columns."""


def unsigned_fields() -> Iterator[FieldDescriptor]:
    """Numbers of 64 bits without sign in all requests, and in all messages within them."""
    seen: set[str] = set()

    def within(message: Descriptor) -> Iterator[FieldDescriptor]:
        if message.full_name in seen or not message.full_name.startswith("gateway."):
            return
        seen.add(message.full_name)
        for field in message.fields:
            if field.cpp_type == FieldDescriptor.CPPTYPE_UINT64:
                yield field
            elif field.message_type is not None:
                yield from within(field.message_type)

    for info in pkgutil.iter_modules(gateway.v1.__path__):
        if info.name.endswith("_pb2"):
            module = importlib.import_module(f"gateway.v1.{info.name}")
            for service in module.DESCRIPTOR.services_by_name.values():
                for method in service.methods:
                    yield from within(method.input_type)


FIELDS = list(unsigned_fields())


def test_the_fields_are_found() -> None:
    assert {"gateway.v1.MarkNotificationsReadRequest.up_to", "gateway.v1.Batch.first_index"} <= {
        field.full_name for field in FIELDS
    }


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.full_name)
def test_a_number_fits_into_a_column(field: FieldDescriptor) -> None:
    rules = field.GetOptions().Extensions[validate_pb2.field]
    of_number = rules.repeated.items.uint64 if field.is_repeated else rules.uint64
    bounds = [getattr(of_number, name) for name in ("lte", "lt", "const") if of_number.HasField(name)]
    assert bounds, f"{field.full_name}: give it (buf.validate.field).uint64.lte = {MOST}"
    assert min(bounds) <= MOST
