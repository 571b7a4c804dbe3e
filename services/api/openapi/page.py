"""Renders the OpenAPI description at /docs: plain HTML that loads nothing from elsewhere."""

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute

from services.http import csp
from services.http.measured_route import MeasuredRoute

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem; font: bold 1rem ui-monospace, monospace }
table { border-collapse: collapse } td { padding: .2rem 1rem .2rem 0; vertical-align: top }
td:first-child { font-family: ui-monospace, monospace }
"""
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src {csp.of_text(_STYLE)};"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def routes(app: FastAPI) -> list[BaseRoute]:
    """Return /docs and /openapi.json."""

    async def description(_: Request) -> Response:
        return JSONResponse(app.openapi())

    async def docs(_: Request) -> Response:
        return HTMLResponse(page(app.openapi()), headers=_HEADERS)

    return [MeasuredRoute("/docs", docs), MeasuredRoute("/openapi.json", description)]


def page(description: dict[str, Any]) -> str:
    """Return an OpenAPI description as a page for people."""
    title = escape(description["info"]["title"])
    operations = "".join(_operations(description))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"<p>{escape(description['info'].get('description', ''))}</p>"
        f'<p>The same for programs: <a href="openapi.json">openapi.json</a></p>'
        f"{operations}</body></html>"
    )


def _operations(description: dict[str, Any]) -> Iterator[str]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"<h2>{escape(method.upper())} {escape(path)}</h2>"
            yield f"<p>{escape(operation.get('description', ''))}</p>"
            if operation.get("security"):
                yield "<p>With <code>Authorization: Bearer</code> and the admin token.</p>"
            yield _table(list(_inputs(operation, description)))


def _inputs(
    operation: dict[str, Any], description: dict[str, Any]
) -> Iterator[tuple[str, str, str]]:
    for parameter in operation.get("parameters", []):
        about = parameter.get("description", "")
        yield parameter["name"], f"{parameter['in']}, {_type(parameter['schema'])}", about
    content = operation.get("requestBody", {}).get("content", {})
    for body in content.values():
        schema = _resolve(body["schema"], description)
        for name, field in schema.get("properties", {}).items():
            kind = "body, " + _type(_resolve(field, description))
            needed = ", required" if name in schema.get("required", []) else ""
            yield name, kind + needed, field.get("description", "")


def _resolve(schema: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return description["components"]["schemas"][name] if name else schema


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "value"))


def _table(rows: list[tuple[str, str, str]]) -> str:
    cells = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table>{cells}</table>" if rows else ""
