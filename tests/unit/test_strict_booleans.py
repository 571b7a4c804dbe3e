"""What a request says is yes or no is `true` or `false`, and nothing else."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from services.api.app import Api
from services.api.settings import ApiSettings

WRONG = ("yes", "1", "on", "True")


def parts(annotation: Any) -> Iterator[Any]:
    """Yield a type and all that it consists of."""
    yield annotation
    for inner in get_args(annotation):
        yield from parts(inner)


def models(annotation: Any, seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """Yield the models of a body, also those that stand in its fields."""
    for part in parts(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel) and part not in seen:
            seen.add(part)
            yield part
            for field in part.model_fields.values():
                yield from models(field.annotation, seen)


def api_routes(of: Iterable[Any]) -> Iterator[APIRoute]:
    for route in of:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from api_routes(inner.routes)
        elif isinstance(route, APIRoute):
            yield route


def refuses_in_query(field: Any) -> Callable[[str], bool]:
    return lambda value: bool(field.validate(value, {}, loc=("query",))[1])


def refuses_of_body(model: type[BaseModel], name: str) -> Callable[[str], bool]:
    def refuses(value: str) -> bool:
        try:
            model.model_validate({name: value})
        except ValidationError as error:
            return any(problem["loc"][0] == name for problem in error.errors())
        return False

    return refuses


def flags() -> Iterator[tuple[str, Callable[[str], bool]]]:
    """Yield what is yes or no in requests: where it stands, and what tells whether it refuses."""
    seen: set[type[BaseModel]] = set()
    for route in api_routes(Api(ApiSettings.read({})).application.routes):
        for field in route.dependant.query_params:
            if bool in parts(field.field_info.annotation):
                yield f"{route.path}?{field.name}", refuses_in_query(field)
        for body in route.dependant.body_params:
            for model in models(body.field_info.annotation, seen):
                for name, of in model.model_fields.items():
                    if bool in parts(of.annotation):
                        yield f"{model.__name__}.{name}", refuses_of_body(model, name)


def test_every_yes_or_no_of_a_request_is_true_or_false() -> None:
    found = dict(flags())
    assert {"SiteFields.views_only", "GroupFields.public", "PlanChanges.daily"} <= found.keys()
    assert any("?" in place for place in found), sorted(found)
    assert [place for place, refuses in found.items() if not all(map(refuses, WRONG))] == []
