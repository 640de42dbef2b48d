"""HTTP requests as events: HTTP API (payload 2.0), REST API (1.0), function URL, ALB."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import partial
from typing import Any

from aws_lambda_powertools.event_handler import ALBResolver, APIGatewayHttpResolver, APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import ApiGatewayResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from serving.aws.function import Event, Function
from serving.contract import PredictRequest, parse_request
from serving.errors import EventFailed, InvalidRequest
from serving.instance import request_id_from
from serving.routes import PREDICT, check_route


class HttpEvents:
    """Answers /predict behind API Gateway, a function URL or a load balancer."""

    name = "HTTP API 2.0, REST API 1.0, function URL and ALB"

    def __init__(self, function: Function) -> None:
        self._function = function
        self._http_api = self._routed(APIGatewayHttpResolver())
        self._rest_api = self._routed(APIGatewayRestResolver())
        self._alb = self._routed(ALBResolver())

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
            return self._alb
        if event.get("version") == "2.0" and "http" in event["requestContext"]:  # HTTP APIs and function URLs.
            return self._http_api
        if "httpMethod" in event and "path" in event:
            return self._rest_api
        raise EventFailed(f"this HTTP event is not of a known kind; known are {self.name}")

    def _routed(self, resolver: ApiGatewayResolver) -> ApiGatewayResolver:
        def respond(*_: object) -> Response[str]:
            event, context = resolver.current_event, resolver.lambda_context
            answer = self._function.responder.respond(
                lambda: self._read(event),
                partial(self._function.predict, context=context),
                request_id_from(_header(event, "x-request-id") or context.aws_request_id),
            )
            return Response(answer.status, body=answer.body.decode(), headers=dict(answer.headers))

        resolver.post("/predict")(respond)
        resolver.not_found(respond)  # Any other path or method; reading the request raises the contract's error.
        return resolver

    def _read(self, event: Any) -> PredictRequest:
        """The request of an HTTP event; raises RequestError."""
        check_route(PREDICT, event.http_method, event.path)
        self._function.keys.check(partial(_header, event))
        return parse_request(_body(event.raw_event))


def _header(event: Any, name: str) -> str | None:
    value = event.resolved_headers_field.get(name)
    return value[0] if isinstance(value, list) and value else value or None


def _body(event: Event) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode(errors="surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise InvalidRequest("the request's body is not the base64 that its event announces") from None
