"""The OpenAPI document of /predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bentoml
from pydantic import BaseModel

from serving.contract import ErrorAnswer, PredictAnswer, PredictRequest
from serving.errors import RequestError

_SCHEMA = "#/components/schemas/{model}"


def openapi(service: bentoml.Service[Any], labels: Sequence[str], *, keys: bool) -> dict[str, Any]:
    """BentoML's OpenAPI document with the errors that /predict really answers.

    `labels` are the loaded model's, which `classes` may name; `keys` says whether a request needs an API key.
    """
    document: dict[str, Any] = service.openapi_spec.asdict()
    document["openapi"] = "3.1.0"  # The version of pydantic's schemas.
    version = str(service.bento.tag.version) if service.bento else "development"
    document["info"] = {"title": "YOLOv7", "description": service.inner.__doc__, "version": version}
    schemas: dict[str, Any] = {}
    document["components"] = {"schemas": schemas}
    for model in (PredictRequest, PredictAnswer, ErrorAnswer):
        schema = model.model_json_schema(ref_template=_SCHEMA)
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    [names] = [kind for kind in schemas["PredictRequest"]["properties"]["classes"]["anyOf"] if "items" in kind]
    names["items"]["enum"] = list(dict.fromkeys(labels))  # Two classes may share a label.
    if keys:
        document["components"]["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}}
        document["paths"]["/predict"]["post"]["security"] = [{"key": []}]
    operation = document["paths"]["/predict"]["post"]
    operation["requestBody"] = {"required": True, "content": _content(PredictRequest)}
    operation["responses"] = {"200": {"description": "What was found", "content": _content(PredictAnswer)}}
    by_status: dict[int, dict[str, str]] = {}
    for kind in sorted(_subclasses(RequestError), key=lambda k: k.status):
        by_status.setdefault(kind.status, {}).setdefault(kind.code, (kind.__doc__ or "").strip())
    for status, codes in by_status.items():
        description = " ".join(f"{code}: {meaning}" for code, meaning in codes.items())
        operation["responses"][str(status)] = {"description": description, "content": _content(ErrorAnswer)}
    return document


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _SCHEMA.format(model=model.__name__)}}}


def _subclasses(kind: type[RequestError]) -> list[type[RequestError]]:
    return [k for sub in kind.__subclasses__() for k in (sub, *_subclasses(sub))]
