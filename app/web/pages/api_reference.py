"""The API's reference as a page of our own: the framework's loads scripts from elsewhere, and this one works offline."""

from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.web.contexts import Chrome
from app.web.rendering import chrome, page

router = APIRouter(include_in_schema=False)

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation."""

    name: str
    where: str  # path, query
    required: bool
    type: str
    default: str
    description: str


@dataclass(frozen=True)
class Operation:
    """One method at one address."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    request: str  # an example body, indented JSON; empty where there is none
    answer: str  # an example answer
    status: str


@dataclass(frozen=True)
class Group:
    """Operations on one subject."""

    name: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class ApiPage:
    """`api.html`."""

    chrome: Chrome
    groups: tuple[Group, ...]


def type_name(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return type_name(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(type_name(each, schemas) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {type_name(schema.get('items', {}), schemas)}"
    return str(schema.get("type", "any"))


def example(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> Any:
    """A value that fits the schema, from its examples and defaults."""
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas, depth + 1)
    if schema.get("examples"):
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], schemas, depth)
    kind = schema.get("type")
    if kind == "object":
        return {name: example(each, schemas, depth) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(schema.get("items", {}), schemas, depth)] if depth < 8 else []
    if schema.get("format") == "date-time":
        return "2026-11-21T10:34:00Z"
    return {"string": "", "integer": 0, "number": 0.0, "boolean": False}.get(str(kind))


def body_example(content: dict[str, Any], schemas: dict[str, Any]) -> str:
    """The example of a JSON body, indented."""
    schema = next((each["schema"] for each in content.values() if "schema" in each), None)
    if schema is None:
        return ""
    return orjson.dumps(example(schema, schemas), option=orjson.OPT_INDENT_2).decode()


def operation(path: str, method: str, spec: dict[str, Any], schemas: dict[str, Any]) -> Operation:
    """One operation of the OpenAPI document as the page shows it."""
    status, answer = next((code, each) for code, each in spec["responses"].items() if code.startswith("2"))
    parameters = tuple(
        Parameter(
            each["name"],
            each["in"],
            each.get("required", False),
            type_name(each["schema"], schemas),
            str(each["schema"].get("default", "")),
            each.get("description", ""),
        )
        for each in spec.get("parameters", [])
    )
    return Operation(
        spec["operationId"],
        method.upper(),
        path,
        spec.get("summary", ""),
        spec.get("description", ""),
        parameters,
        body_example(spec.get("requestBody", {}).get("content", {}), schemas),
        body_example(answer.get("content", {}), schemas),
        status,
    )


@router.get("/api")
def show(request: Request) -> HTMLResponse:
    """Every address of the API with parameters and examples."""
    document = request.app.openapi()
    schemas = document.get("components", {}).get("schemas", {})
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                spec = methods[method]
                groups.setdefault(spec.get("tags", ["other"])[0], []).append(
                    operation(path, method, spec, schemas)
                )
    context = ApiPage(
        chrome(request, "API", "api"), tuple(Group(name, tuple(each)) for name, each in groups.items())
    )
    return page("api.html", context)
