"""HTTP requests as events: HTTP API (payload 2.0), REST API (1.0), function URL, ALB."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aws_lambda_powertools.utilities.typing import LambdaContext

from serving.accept import JSON, read_accept
from serving.aws.function import Function
from serving.bodies import Sent, read_call
from serving.contract import Call
from serving.errors import EventFailed, InvalidRequest
from serving.events import Event
from serving.instance import request_id_from
from serving.page.documents import HTML, start_page, unless_unchanged
from serving.respond import HttpAnswer
from serving.routes import PAGE, PREDICT, Routes, check_route

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response
    from aws_lambda_powertools.event_handler.api_gateway import ApiGatewayResolver

# The largest picture that a response can hold as base64, with 64 KB left for its headers and the rest of its JSON.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LAMBDA_RETURNS = (6 * 2**20 - 2**16) // 4 * 3
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
ALB_RETURNS = (2**20 - 2**16) // 4 * 3


class HttpEvents:
    """Answers /predict, and the page at /, behind API Gateway, a function URL or a load balancer."""

    name = "HTTP API 2.0, REST API 1.0, function URL and ALB"

    def __init__(self, function: Function) -> None:
        self._function = function
        settings = function.predictor.settings
        self._page = start_page(settings, links_docs=False) if settings.page == "on" else None
        self._routes: Routes = {**PREDICT, **(PAGE if self._page else {})}

    @cached_property
    def resolvers(self) -> dict[str, ApiGatewayResolver]:
        """Powertools' resolver of each form; importing them is a part of the cold start that only HTTP events need."""
        from aws_lambda_powertools.event_handler import ALBResolver, APIGatewayHttpResolver, APIGatewayRestResolver

        return {
            "HTTP API": self._routed(APIGatewayHttpResolver(), LAMBDA_RETURNS),
            "REST API": self._routed(APIGatewayRestResolver(), LAMBDA_RETURNS),
            "ALB": self._routed(ALBResolver(), ALB_RETURNS),
        }

    def matches(self, event: Event) -> bool:
        """Whether the event has the context of an HTTP request."""
        return isinstance(event.get("requestContext"), Mapping)

    def answer(self, event: Event, context: LambdaContext) -> Any:
        """The response in the form of the sender; raises EventFailed for a malformed event and an unknown form."""
        try:
            return self._resolver(event)(dict(event), context)
        except (KeyError, TypeError, AttributeError, ValueError) as exc:
            # Powertools reads fields without judging them. Errors of a request itself are responses by now.
            raise EventFailed(
                f"this HTTP event has missing or wrong fields ({type(exc).__name__}: {exc!s:.100})"
            ) from exc

    def _resolver(self, event: Event) -> ApiGatewayResolver:
        if "elb" in event["requestContext"]:
            return self.resolvers["ALB"]
        if event.get("version") == "2.0" and "http" in event["requestContext"]:  # HTTP APIs and function URLs.
            return self.resolvers["HTTP API"]
        if "httpMethod" in event and "path" in event:
            return self.resolvers["REST API"]
        raise EventFailed(f"this HTTP event is not of a known kind; known are {self.name}")

    def _routed(self, resolver: ApiGatewayResolver, max_returned_bytes: int) -> ApiGatewayResolver:
        def respond(*_: object) -> Response[Any]:
            event, context = resolver.current_event, resolver.lambda_context
            if self._page and event.path in PAGE and event.http_method in PAGE[event.path]:
                return _sent(unless_unchanged(self._page, _header(event, "if-none-match")), event.http_method)
            query = _query(event.raw_event)
            answer = self._function.responder.respond(
                lambda: self._read(event, query, max_returned_bytes),
                partial(self._function.predict, context=context),
                request_id_from(_header(event, "x-request-id") or context.aws_request_id),
            )
            return _sent(answer, event.http_method)

        resolver.post("/predict")(respond)
        resolver.not_found(respond)  # Any other path or method; reading the request raises the contract's error.
        return resolver

    def _read(self, event: Any, query: str, max_returned_bytes: int) -> Call:
        """The request of an HTTP event; raises RequestError."""
        check_route(self._routes, event.http_method, event.path)
        self._function.keys.check(partial(_header, event))
        accepted = read_accept(_whole_header(event, "accept"))
        sent = Sent(accepted, _whole_header(event, "content-type"), query, _body(event.raw_event))
        limit = self._function.predictor.settings.max_image_bytes
        return read_call(sent, max_image_bytes=limit, max_returned_bytes=max_returned_bytes)


def _sent(answer: HttpAnswer, method: str) -> Response[Any]:
    """Powertools' form of a response; it sends bytes as base64."""
    from aws_lambda_powertools.event_handler import Response

    body = b"" if method == "HEAD" else answer.body
    text = answer.headers["Content-Type"] in (JSON, HTML)
    return Response(answer.status, body=body.decode() if text else body, headers=dict(answer.headers))


def _header(event: Any, name: str) -> str | None:
    value = event.resolved_headers_field.get(name)
    return value[0] if isinstance(value, list) and value else value or None


def _whole_header(event: Any, name: str) -> str:
    """A header with all its values: they may be separate, and Powertools splits one at its commas."""
    value = event.resolved_headers_field.get(name) or ""
    return ",".join(value) if isinstance(value, list) else str(value)


def _query(event: Event) -> str:
    """The URL's query as it was sent. A REST API decodes the names and values, a load balancer does not."""
    if isinstance(raw := event.get("rawQueryString"), str):
        return raw
    single = {name: [value] for name, value in (event.get("queryStringParameters") or {}).items()}
    values = single | (event.get("multiValueQueryStringParameters") or {})
    pairs = [(name, value) for name, several in values.items() for value in several]
    if "elb" in event["requestContext"]:
        return "&".join(f"{name}={value}" for name, value in pairs)
    return urlencode(pairs)


def _body(event: Event) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode(errors="surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise InvalidRequest("the request's body is not the base64 that its event announces") from None
