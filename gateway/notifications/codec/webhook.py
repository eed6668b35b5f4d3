"""Requests to webhooks, signed as Standard Webhooks has it: https://github.com/standard-webhooks/standard-webhooks

`webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`. The id is the
same for each attempt, so that a receiver takes each message once; the timestamp is the attempt's.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from typing import Final

from google.protobuf.json_format import MessageToDict

from gateway.contract.messages import to_timestamp
from gateway.errors import CredentialsError
from gateway.v1.notification_service_pb2 import Notification as NotificationMessage
from gateway.v1.notification_service_pb2 import NotificationKind

KEY_PREFIX: Final = "whsec_"

LEAST_SECRET_BYTES: Final = 24
MOST_SECRET_BYTES: Final = 64
"""Bytes of a secret, as the specification has them."""


def secret_of(text: str, name: str) -> bytes:
    """The key in a secret's file: `whsec_` and base64, with or without a line's end.

    Raises:
        CredentialsError: it isn't one; `name` is named.
    """
    try:
        key = base64.b64decode(text.strip().removeprefix(KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not LEAST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES:
        way_out = "Make one: `printf whsec_; head -c 32 /dev/urandom | base64`."
        raise CredentialsError(f"{name} isn't a webhook's secret: whsec_ and base64 of 24 to 64 bytes", way_out=way_out)
    return key


def signed_headers(message_id: str, body: bytes, *, key: bytes, now_s: int) -> Mapping[str, str]:
    """Headers of one attempt; `now_s`: seconds since 1970."""
    signed = f"{message_id}.{now_s}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(now_s),
        "webhook-signature": f"v1,{signature}",
    }


def notification_body(message: NotificationMessage) -> bytes:
    """A notification as a webhook gets it: type, timestamp and data, the last in the contract's JSON form."""
    data = MessageToDict(message, preserving_proto_field_name=True)
    kind = NotificationKind.Name(message.kind).removeprefix("NOTIFICATION_KIND_").lower()
    document = {"type": f"notification.{kind}", "timestamp": data.get("occurred_at", ""), "data": data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def test_body(now_ms: int) -> bytes:
    """A test message: of a type that no notification has, about nothing."""
    moment = to_timestamp(now_ms).ToJsonString()
    document = {"type": "notification.test", "timestamp": moment, "data": {"test": True, "occurred_at": moment}}
    return json.dumps(document, separators=(",", ":")).encode()
