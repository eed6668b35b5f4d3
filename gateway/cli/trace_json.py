"""A trace as JSON, for other programs: the message itself, with the contract's field names.

Owns nothing but the choice of the form: protobuf's JSON, as with every `--json`. A field that isn't there has its
default (an index of 0, no text).
"""

from __future__ import annotations

from gateway.cli.output import to_json
from gateway.cli.values import as_dict
from gateway.v1.history_service_pb2 import TraceConsignmentResponse
from gateway.v1.trace_pb2 import Trace


def render_json(answer: Trace | TraceConsignmentResponse) -> str:
    """The trace, or the answer with its draft alert, as one indented JSON document."""
    return to_json(as_dict(answer))
