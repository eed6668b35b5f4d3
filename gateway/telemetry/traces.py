"""Spans of a node, exported by OTLP; without an endpoint in the settings nothing is recorded or imported.

A trace context is the `traceparent` of W3C Trace Context, version 00. What a partner or a system sends is only
parsed, and counts for nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gateway.errors import ConfigurationError
from gateway.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

TRACEPARENT: Final = "traceparent"
"""Key of a call's metadata, as of HTTP's header."""

_CONTEXT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")

EXPORT_S: Final = 5
"""Most seconds for one export, and between two: spans wait in a bounded queue, and are dropped beyond it."""

Attributes = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class OtlpEndpoint:
    """Where spans go: `http://host:port` or `https://host:port` of a collector's gRPC port; `ca` for the latter."""

    url: str
    ca: Path | None = None
    ratio: float = 1.0


class TraceSpan:
    """One step of a trace; ended once. Without a tracer it is nothing."""

    __slots__ = ("_span",)

    def __init__(self, span: Any = None) -> None:
        self._span = span

    @property
    def context(self) -> str:
        """Its `traceparent`; empty if it isn't recorded: then nobody needs to hear of it."""
        if self._span is None or not self._span.is_recording():
            return ""
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    def note(self, **attributes: str | int) -> None:
        """Adds attributes: ids, never what a message says."""
        if self._span is not None:
            self._span.set_attributes({name.replace("_", ".", 1): value for name, value in attributes.items()})

    def end(self, error: BaseException | None = None) -> None:
        if self._span is not None:
            if error is not None:
                from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

                self._span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            self._span.end()


class Traces:
    """The spans of one node. Thread-safe."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._tracer: Tracer | None = None if provider is None else provider.get_tracer("gateway")

    @property
    def enabled(self) -> bool:
        return self._tracer is not None

    def start(self, name: str, *, parent: str = "", since_ms: int = 0, **attributes: str | int) -> TraceSpan:
        """Starts a span below a `traceparent`, or a new trace; `alert_id` becomes the attribute `alert.id`.

        Args:
            name: of the step.
            parent: context of the span above; empty: a new trace.
            since_ms: when it began, in milliseconds since 1970; 0: now.
            **attributes: ids.
        """
        if self._tracer is None:
            return TraceSpan()
        began_ns = since_ms * 1_000_000 or None
        span = TraceSpan(self._tracer.start_span(name, context=_context(parent), start_time=began_ns))
        span.note(**attributes)
        return span

    @contextmanager
    def span(self, name: str, *, parent: str = "", **attributes: str | int) -> Iterator[TraceSpan]:
        """A span over the block; an error in it is noted by its class alone."""
        span = self.start(name, parent=parent, since_ms=0, **attributes)
        try:
            yield span
        except BaseException as error:
            span.end(error)
            raise
        span.end()

    @contextmanager
    def below(self, span: TraceSpan, name: str) -> Iterator[TraceSpan]:
        """A step of a span, over the block; nothing where that isn't recorded."""
        if not span.context:
            yield TraceSpan()
            return
        with self.span(name, parent=span.context) as step:
            yield step

    def close(self) -> None:
        """Exports what waits, some seconds at most."""
        if self._provider is not None:
            self._provider.shutdown()


def parent_in(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The `traceparent` of a call; empty without one."""
    found = next((value for key, value in metadata or () if key == TRACEPARENT), "")
    return found if isinstance(found, str) and is_context(found) else ""


def is_context(text: str) -> bool:
    """Whether a text is a `traceparent`."""
    return _CONTEXT.fullmatch(text) is not None


def open_traces(endpoint: OtlpEndpoint, *, node: str, federation: str, version: str, metrics: Metrics) -> Traces:
    """Spans that are exported to an OTLP receiver.

    Raises:
        ConfigurationError: the extra `otlp` isn't installed, or the CA can't be read.
    """
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio  # noqa: PLC0415
    except ImportError as error:
        way_out = "Install the gateway's wheel with the extra: pip install 'WHEEL[otlp]'."
        raise ConfigurationError(f"traces.endpoint: {error.name} isn't installed", way_out=way_out) from error

    class CountedExporter(OTLPSpanExporter):
        """Counts what was exported and what was lost."""

        def export(self, spans: Any) -> SpanExportResult:
            result = super().export(spans)
            label = "exported" if result is SpanExportResult.SUCCESS else "lost"
            metrics.trace_spans.labels(label).inc(len(spans))
            return result

    insecure = not endpoint.url.startswith("https://")
    exporter = CountedExporter(
        endpoint=endpoint.url,
        insecure=insecure,
        credentials=None if insecure else _credentials(endpoint.ca),
        timeout=EXPORT_S,
    )
    names = {"service.name": "customs-gateway", "service.namespace": federation, "service.instance.id": node}
    provider = TracerProvider(
        resource=Resource({**names, "service.version": version}),
        sampler=ParentBasedTraceIdRatio(endpoint.ratio),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1_000))
    return Traces(provider)


def _credentials(ca: Path | None) -> Any:
    import grpc  # noqa: PLC0415

    try:
        return grpc.ssl_channel_credentials(None if ca is None else ca.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"traces.ca {ca}: {error.strerror}") from error


def _context(parent: str) -> Context:
    """An OpenTelemetry context with a remote parent, or none: never what another task left behind."""
    from opentelemetry.context import Context  # noqa: PLC0415
    from opentelemetry.trace import (  # noqa: PLC0415
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        set_span_in_context,
    )

    found = _CONTEXT.fullmatch(parent)
    if found is None:
        return Context()
    trace, span, flags = (int(part, 16) for part in found.groups())
    remote = SpanContext(trace_id=trace, span_id=span, is_remote=True, trace_flags=TraceFlags(flags & 1))
    return set_span_in_context(NonRecordingSpan(remote), Context())
