"""OpenTelemetry traces, if there is a receiver; otherwise nothing of it is even imported.

Switched on by OpenTelemetry's own variables, above all OTEL_EXPORTER_OTLP_ENDPOINT. No span
contains an address, a User-Agent, the path of a page or a value from a statement.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from services import __version__

if TYPE_CHECKING:
    from opentelemetry.trace import Link, Span, SpanContext, Tracer

SWITCHES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXTRA = "tracing"
MOST_LINKS = 128
"""The most links of a span; OpenTelemetry's default."""

tracer: "Tracer | None" = None
"""Creates spans; None if nothing receives them. Hot paths check it before doing anything."""

_next: "SpanContext | None" = None


class TracingError(Exception):
    """Traces were requested but cannot be created."""


def begin(service: str, environ: Mapping[str, str] = os.environ) -> None:
    """Start creating and sending traces, if a receiver is configured. Raises TracingError."""
    global tracer
    named = [name for name in SWITCHES if environ.get(name)]
    if not named or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise TracingError(
            f"{named[0]} is set, but {error.name} is missing: install Luot with its extra"
            f" '{EXTRA}' (requirements/tracing.lock), or remove the variable"
        ) from None
    about: dict[str, Any] = {SERVICE_VERSION: __version__}
    if not environ.get("OTEL_SERVICE_NAME"):
        about[SERVICE_NAME] = f"luot-{service}"
    provider = TracerProvider(resource=Resource.create(about), id_generator=_ids())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("luot", __version__)


def _ids() -> Any:
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        """Random ids, except for a span that has its own."""

        def generate_trace_id(self) -> int:
            return super().generate_trace_id() if _next is None else _next.trace_id

        def generate_span_id(self) -> int:
            return super().generate_span_id() if _next is None else _next.span_id

    return Ids()


@contextmanager
def span(
    name: str, links: "Collection[SpanContext]" = (), **attributes: str | int
) -> "Iterator[Span | None]":
    """Trace what this task does inside the context; yields None when nothing is traced."""
    if tracer is None:
        yield None
        return
    from opentelemetry.trace import SpanKind, StatusCode

    kind = SpanKind.SERVER if "http.request.method" in attributes else SpanKind.INTERNAL
    with tracer.start_as_current_span(
        name,
        kind=kind,
        attributes=attributes,
        links=_links(links),
        # An error's text may quote what somebody sent.
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def here() -> "SpanContext":
    """Return the context of the task's current span, to link to."""
    from opentelemetry.trace import get_current_span

    return get_current_span().get_span_context()


def _links(contexts: "Collection[SpanContext]") -> "list[Link]":
    from opentelemetry.trace import Link

    return [Link(context) for context in contexts if context.is_valid]


def of_batch(payload: bytes) -> "SpanContext":
    """Return the span context of a batch, which writer and reader both derive from its bytes.

    So log entries need no field for it, and their format stays the same.
    """
    from opentelemetry.trace import SpanContext, TraceFlags

    digest = blake2b(payload, digest_size=24).digest()
    return SpanContext(
        int.from_bytes(digest[:16], "big"),
        int.from_bytes(digest[16:], "big"),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def batch(payload: bytes, **attributes: str | int) -> None:
    """Create the span of a batch that was just written, linked to the current span."""
    global _next
    if tracer is None:
        return
    from opentelemetry.context import Context

    _next = of_batch(payload)
    try:
        made = tracer.start_span(
            "batch", context=Context(), attributes=attributes, links=_links([here()])
        )
    finally:
        _next = None
    made.end()


def of_header(value: bytes) -> "list[SpanContext]":
    """Return the span context in the header `traceparent` of a request, if there is one."""
    from opentelemetry.trace import get_current_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {"traceparent": value.decode("latin-1")}
    context = TraceContextTextMapPropagator().extract(carrier)
    return [get_current_span(context).get_span_context()]
