"""The description of a service for tools: /swagger.json, of version 2 or 3 (OpenAPI)."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from scriptrun.runtime.hints import Json
    from scriptrun.runtime.serving.input_schema import InputSchema

_ANY = {"type": "object", "example": {}}


def describe(
    name: str, schema: "Optional[InputSchema]", version: int, host: str, needs_key: bool
) -> "Json":
    """The description of the service ``name``; ``version`` is 2 or 3."""
    given = (schema.input if schema else None) or _ANY
    returned = (schema.output if schema else None) or _ANY
    title = name or "service"
    info = {"title": title, "description": "API of the service {}".format(title), "version": "1.0"}
    schemas = {"ServiceInput": given, "ServiceOutput": returned, "ErrorResponse": _error()}
    if version == 3:
        return _version_3(info, schemas, host, needs_key)
    return _version_2(info, schemas, host, needs_key)


def _error() -> "Json":
    return {"type": "object", "properties": {"message": {"type": "string"}}}


def _version_2(info: "Json", schemas: "Json", host: str, needs_key: bool) -> "Json":
    def answer(text: str, schema: str) -> "Json":
        return {"description": text, "schema": {"$ref": "#/definitions/" + schema}}

    health: "Json" = {
        "operationId": "ServiceHealthCheck",
        "description": "Answers while the service is up.",
        "produces": ["text/plain"],
        "responses": {"200": {"description": "Healthy", "schema": {"type": "string"}}},
    }
    body = {
        "name": "serviceInputPayload",
        "in": "body",
        "description": "The input of the service.",
        "required": True,
        "schema": {"$ref": "#/definitions/ServiceInput"},
    }
    score: "Json" = {
        "operationId": "RunMLService",
        "description": "Runs the service.",
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "parameters": [body],
        "responses": {
            "200": answer("The output of the service.", "ServiceOutput"),
            "default": answer("An error.", "ErrorResponse"),
        },
    }
    content = {
        "swagger": "2.0",
        "info": info,
        "host": host,
        "schemes": ["http"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "paths": {"/": {"get": health}, "/score": {"post": score}},
        "definitions": schemas,
    }
    if needs_key:
        bearer = {"type": "apiKey", "name": "Authorization", "in": "header"}
        content["securityDefinitions"] = {"Bearer": bearer}
        score["security"] = [{"Bearer": []}]
    return content


def _version_3(info: "Json", schemas: "Json", host: str, needs_key: bool) -> "Json":
    def content(schema: str) -> "Json":
        return {"application/json": {"schema": {"$ref": "#/components/schemas/" + schema}}}

    healthy = {"text/plain": {"schema": {"type": "string", "example": "Healthy"}}}
    health = {
        "operationId": "ServiceHealthCheck",
        "description": "Answers while the service is up.",
        "responses": {"200": {"description": "Healthy", "content": healthy}},
    }
    score: "Json" = {
        "operationId": "RunMLService",
        "description": "Runs the service.",
        "requestBody": {"required": True, "content": content("ServiceInput")},
        "responses": {
            "200": {
                "description": "The output of the service.", "content": content("ServiceOutput"),
            },
            "default": {"description": "An error.", "content": content("ErrorResponse")},
        },
    }  # fmt: skip
    components: "Json" = {"schemas": schemas}
    if needs_key:
        components["securitySchemes"] = {"Bearer": {"type": "http", "scheme": "bearer"}}
        score["security"] = [{"Bearer": []}]
    return {
        "openapi": "3.0.1",
        "info": info,
        "servers": [{"url": "http://" + host}],
        "paths": {"/": {"get": health}, "/score": {"post": score}},
        "components": components,
    }
