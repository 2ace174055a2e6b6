"""Tools: Python functions that a model may call.

::

    @tool
    def weather(city: str) -> str:
        \"\"\"Weather in a city, as one line.\"\"\"
        return "4 °C, rain"

The schema comes from the function's types, by pydantic. Only the schema is recorded.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    ParamSpec,
    get_args,
    get_origin,
    overload,
)
from typing import get_type_hints as hints_of

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PydanticUserError,
    ValidationError,
    create_model,
)
from typing_extensions import TypeVar  # with a default; in typing from 3.13 on

from eventstore import InvalidInput
from eventstore.core.json_values import Json
from eventstore.engine.threads import in_thread
from eventstore.engine.tools.local_tools import InvalidArguments, ToolContext

__all__ = ["Tool", "tool"]

P = ParamSpec("P")
T = TypeVar("T")

_NAME_MAX: Final = 64
"""The longest name that model APIs accept."""
_OUTPUT_BYTES_MAX: Final = 64 * 1024
_TIMEOUT_SECONDS: Final = 60.0


class Tool(Generic[P, T]):
    """A function that a model may call; the application may call it, too."""

    def __init__(
        self,
        function: Callable[P, T],
        *,
        name: str | None = None,
        description: str | None = None,
        repeatable: bool = False,
        approval: bool = False,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        output_bytes_max: int = _OUTPUT_BYTES_MAX,
    ) -> None:
        """Use :func:`tool`."""
        self.function = function
        self.name: str = _checked_name(str(name or getattr(function, "__name__", "")))
        """Name that the model calls it by."""
        self.description: str = description or inspect.getdoc(function) or ""
        """Description for the model."""
        self.repeatable = repeatable
        """Calling it twice does no harm, so it is called again if a crash hid its outcome."""
        self.approval = approval
        """A person approves each call."""
        self.timeout_seconds: float = _checked_positive(timeout_seconds, "timeout_seconds")
        """Longest time that a call may take."""
        self.output_bytes_max: int = int(_checked_positive(output_bytes_max, "output_bytes_max"))
        """Most bytes of its output as JSON."""
        self._context, self._arguments = _arguments_of(function, self.name)
        self.__doc__ = function.__doc__
        self.__name__: str = self.name
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Tool {self.name}>"

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as a model is told of it."""
        schema = self._arguments.model_json_schema(by_alias=True)
        schema.pop("description", None)
        function = {"name": self.name, "parameters": _without_titles(schema)}
        if self.description:
            function["description"] = self.description
        return {"type": "function", "function": function}

    async def call(self, arguments: object, context: ToolContext) -> object:
        """Call the function with a model's arguments.

        Args:
            arguments: JSON object that the model wrote.
            context: The call, for a function that wants it.

        Raises:
            InvalidArguments: they do not fit the function's types.
        """
        named = self._checked(arguments)
        if self._context is not None:
            named[self._context] = context
        function: Callable[..., Any] = self.function
        if inspect.iscoroutinefunction(function):
            return await function(**named)
        returned = await in_thread(lambda: function(**named))
        return await returned if inspect.isawaitable(returned) else returned

    def _checked(self, given: object) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise InvalidArguments("The arguments are not a JSON object.")
        try:
            model = self._arguments.model_validate_json(json.dumps(given))
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False, include_context=False)
        else:
            fields = type(model).model_fields.items()
            return {field.alias or name: getattr(model, name) for name, field in fields}
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
        raise InvalidArguments(f"The arguments are invalid: {problems}")


@overload
def tool(function: Callable[P, T], /) -> Tool[P, T]: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    repeatable: bool = False,
    approval: bool = False,
    timeout_seconds: float = ...,
    output_bytes_max: int = ...,
) -> Callable[[Callable[P, T]], Tool[P, T]]: ...
def tool(function: Callable[P, T] | None = None, /, **options: Any) -> Any:
    """Make a tool of a function, sync or async.

    Args:
        function: Function with types. Its docstring describes it to the model.
        options: ``name`` and ``description`` in place of the function's own. ``repeatable``:
            calling it twice does no harm. ``approval``: a person approves each call.
            ``timeout_seconds`` (60) and ``output_bytes_max`` (64 KiB) limit a call.

    Raises:
        InvalidInput: a parameter has no schema, or an option is malformed.
    """
    if function is not None:
        return Tool(function, **options)
    return lambda given: Tool(given, **options)


class _Arguments(BaseModel):
    """Base of the models of arguments."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


def _arguments_of(function: Callable[..., Any], name: str) -> tuple[str | None, type[BaseModel]]:
    """Return the parameter that takes the context, and a model of all others.

    Fields have names of their own and the parameters' names as aliases: a parameter may be called
    ``schema`` or ``copy``, which a model's field may not.
    """
    try:
        hints = hints_of(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise _no_schema(name, f"its annotations do not resolve ({type(error).__name__})") from None
    context, fields = None, {}
    for index, (given, parameter) in enumerate(inspect.signature(function).parameters.items()):
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise _no_schema(name, f"{given} takes any number of arguments")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise _no_schema(name, f"{given} is positional only")
        hint = hints.get(given, Any)
        if _is_context(hint):
            context = given
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[f"argument_{index}"] = (hint, Field(default, alias=given))
    try:
        model = create_model(name, __base__=_Arguments, **fields)  # type: ignore[call-overload]
        model.model_json_schema()
    except (PydanticUserError, ValueError, TypeError) as error:
        raise _no_schema(name, f"a parameter has no schema ({type(error).__name__})") from None
    return context, model


def _is_context(hint: object) -> bool:
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return (get_origin(plain) or plain) is ToolContext


def _no_schema(name: str, problem: str) -> InvalidInput:
    remedy = "Give each parameter a type that pydantic knows, and call it by name."
    return InvalidInput("function", f"{name} cannot be a tool: {problem}", remedy)


def _checked_name(name: str) -> str:
    plain = name.replace("_", "").replace("-", "")
    if not (plain.isascii() and plain.isalnum() and len(name) <= _NAME_MAX):
        raise InvalidInput(
            "name",
            f"{name[:_NAME_MAX]!r} is not a tool's name",
            f"Give up to {_NAME_MAX} letters, digits, _ and -.",
        )
    return name


def _checked_positive(value: float, field: str) -> float:
    number: object = value
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not number > 0:
        raise InvalidInput(field, f"{value!r} is not a positive number", "Give more than 0.")
    return value


def _without_titles(schema: Json) -> Json:
    """Leave out the titles that pydantic makes up from names; they cost tokens and say nothing."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }
