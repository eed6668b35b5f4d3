"""Passes the records of a node's answer on as they come, or sorted at its end."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.history.codec.signed_texts import in_messages
from gateway.history.rpc.query_client import RecordSink
from gateway.v1 import history_pb2
from gateway.v1 import history_service_pb2 as pb


class RecordBuffer:
    """The records of one node; sorted in an order by declaration."""

    def __init__(self, put: RecordSink, order: pb.SearchOrder.ValueType) -> None:
        self._put = put
        self._order = order
        self._kept: list[history_pb2.HistoryRecord] = []

    def put(self, message: pb.SearchShipmentsResponse) -> None:
        if self._order != pb.SEARCH_ORDER_UNSPECIFIED:
            self._kept.extend(message.records.records)
        elif message.records.records:
            self._put(message)

    def flush(self, *, valid: bool) -> None:
        if valid and self._kept:
            newest_first = self._order == pb.SEARCH_ORDER_DECLARED_DESC
            in_order = sorted(self._kept, key=_declared, reverse=newest_first)
            for some in in_messages(in_order, history_pb2.HistoryRecord.ByteSize):
                self._put(_message(some))


def _declared(record: history_pb2.HistoryRecord) -> tuple[int, int]:
    return record.shipment.declared_at.seconds, record.shipment.declared_at.nanos


def _message(records: Sequence[history_pb2.HistoryRecord]) -> pb.SearchShipmentsResponse:
    message = pb.SearchShipmentsResponse()
    message.records.records.extend(records)
    return message
