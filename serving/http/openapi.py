"""The OpenAPI document of /predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bentoml
from pydantic import BaseModel

from serving.accept import JPEG
from serving.bodies import OPTIONS
from serving.contract import ErrorAnswer, PredictAnswer, PredictRequest
from serving.errors import RequestError
from serving.forms import PICTURE

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
    options = _upload_options(schemas["PredictRequest"])
    operation["parameters"] = [_parameter(name, schema) for name, schema in options.items()]
    operation["requestBody"] = {"required": True, "content": _content(PredictRequest) | _uploads(options)}
    operation["responses"] = {"200": _found()}
    by_status: dict[int, dict[str, str]] = {}
    for kind in sorted(_subclasses(RequestError), key=lambda k: k.status):
        by_status.setdefault(kind.status, {}).setdefault(kind.code, (kind.__doc__ or "").strip())
    for status, codes in by_status.items():
        description = " ".join(f"{code}: {meaning}" for code, meaning in codes.items())
        operation["responses"][str(status)] = {"description": description, "content": _content(ErrorAnswer)}
    return document


def _upload_options(request: dict[str, Any]) -> dict[str, Any]:
    """The schemas of the options in a query or a form: `classes` cannot be null, and `store` is false for an upload."""
    options = {name: dict(request["properties"][name]) for name in OPTIONS}
    [labels] = [kind for kind in options["classes"].pop("anyOf") if "items" in kind]
    del options["classes"]["default"]
    options["classes"] |= labels
    options["store"]["description"] += "; false for an upload unless it is given"
    del options["store"]["default"]
    return options


def _parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    about = f"{schema['description']}; in the query, in the form or in the JSON; the body overrides the query"
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": about}


def _uploads(options: dict[str, Any]) -> dict[str, Any]:
    """The bodies that are a picture, alone or as the part of a form."""
    picture = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, BMP, TIFF or GIF"}
    form = {
        "type": "object",
        "properties": {PICTURE: picture, **options},
        "required": [PICTURE],
        "additionalProperties": False,
    }
    return {"image/*": {"schema": picture}, "multipart/form-data": {"schema": form}}


def _found() -> dict[str, Any]:
    """The 200 response: JSON, or the annotated picture where Accept asks for it."""
    texts = {
        "X-Instance-Cpu": "processor of the instance, and its instruction set",
        "X-Version": "version of the Bento, in an image",
        "X-Image-Digest": "digest of the image, if the platform passes it",
        "X-Detections-Count": "with a picture: the number of detections",
        "X-Detections": "with a picture: `detections` as JSON, if they have at most 4096 characters",
        "Content-Location": "with a picture that was stored: its URL",
    }
    picture = {"schema": {"type": "string", "format": "binary"}}
    return {
        "description": f"What was found; the annotated picture for `Accept: {JPEG}`",
        "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()},
        "content": _content(PredictAnswer) | {JPEG: picture},
    }


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _SCHEMA.format(model=model.__name__)}}}


def _subclasses(kind: type[RequestError]) -> list[type[RequestError]]:
    return [k for sub in kind.__subclasses__() for k in (sub, *_subclasses(sub))]
