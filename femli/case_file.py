"""Reading a case file: TOML, overrides, and Pydantic's findings turned into sentences for the user."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from .errors import CaseError

OVERRIDE = "--set"
_LONGEST_SHOWN = 60


def read(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        CaseError: no such file, not readable, not UTF-8, not TOML.
    """
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as err:
        raise CaseError(f"{path}: cannot be read: {(err.strerror or str(err)).lower()}") from err
    except UnicodeDecodeError as err:
        raise CaseError(f"{path}: is not a text file in UTF-8") from err
    except tomllib.TOMLDecodeError as err:
        raise CaseError(f"{path}: is not valid TOML: {err}") from err


def overrides(given: Sequence[str] | Mapping[str, Any]) -> dict[str, Any]:
    """Overrides as a flat table from dotted key to value.

    Args:
        given: texts `section.key=VALUE`, VALUE in TOML or else a string; or a table, nested or with dots.

    Raises:
        CaseError: a text without `=` or without a key.
    """
    if isinstance(given, Mapping):
        return _flat(given)
    flat: dict[str, Any] = {}
    faults = []
    for text in given:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key or not all(part.strip() for part in key.split(".")):
            faults.append(f"{OVERRIDE}: {text}: is not an override; allowed: section.key=VALUE")
        else:
            flat[key] = _value(value.strip())
    if faults:
        raise CaseError(*faults)
    return flat


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _value(text: str) -> Any:
    """A TOML value, or the text itself where it is none."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if set(parsed) == {"value"} else text


def apply(data: dict[str, Any], flat: Mapping[str, Any]) -> None:
    """Write overrides into the tables of a case, in place.

    Raises:
        CaseError: an override goes through something that is not a table.
    """
    faults = []
    for dotted, value in flat.items():
        *sections, key = dotted.split(".")
        inner: Any = data
        for section in sections:
            inner = inner.setdefault(section, {}) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner[key] = value
        else:
            faults.append(f"{OVERRIDE}: {dotted}: does not lead through tables; override the whole of {sections[0]}")
    if faults:
        raise CaseError(*faults)


def at(data: Any, path: Iterable[str | int]) -> Any:
    """What a user wrote at a path, None where nothing."""
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):  # not there, or nothing that has places
            return None
    return data


def _tidy(location: Iterable[str | int]) -> list[str | int]:
    """Pydantic's location without the labels of union members."""
    return [step for step in location if step not in ("as a name", "as a table")]


def _dotted(path: Iterable[str | int]) -> str:
    """A path as a user writes it; list places count from 1 as `[1]`."""
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")


def shown(value: Any) -> str:
    """A value as it stands in the file, shortened."""
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def faults(
    error: ValidationError, model: type[BaseModel], data: dict[str, Any], path: Path, flat: Mapping[str, Any]
) -> list[str]:
    """One sentence for each finding: file, key, value, what is wrong, what is allowed."""
    sentences = []
    for finding in error.errors(include_url=False):
        location = _tidy(finding["loc"])
        key = _dotted(location)
        origin = OVERRIDE if _touched(key, flat) else str(path)
        value = at(data, location)
        kind = finding["type"]
        if kind == "extra_forbidden":
            sentences.append(f"{origin}: {key}: {shown(value)}: unknown key; {_nearest(model, location)}")
        elif kind == "missing":
            sentences.append(f"{path}: {key}: is missing; {_described(model, location)}")
        elif value is None or isinstance(value, dict):
            sentences.append(f"{origin}: {key}: {_sentence(finding)}")
        else:
            sentences.append(f"{origin}: {key}: {shown(value)}: {_sentence(finding)}")
    return list(dict.fromkeys(sentences))


def _touched(key: str, flat: Mapping[str, Any]) -> bool:
    """Whether an override set this key, something in it, or the table or list it is in."""
    return any(key == name or name.startswith(f"{key}.") or key.startswith((f"{name}.", f"{name}[")) for name in flat)


def _sentence(finding: Any) -> str:
    """What is wrong and what is allowed, for one finding."""
    kind, context = finding["type"], finding.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        allowed = context["expected"].replace("'", '"')
        return f"{_guess(finding['input'], allowed)}allowed: {allowed}"
    plain = {
        "greater_than": "must be greater than {gt}",
        "greater_than_equal": "must be at least {ge}",
        "less_than": "must be less than {lt}",
        "less_than_equal": "must be at most {le}",
        "bool_type": "allowed: true, false",
        "string_type": "allowed: a text in quotes",
        "float_type": "allowed: a number without a unit",
        "int_type": "allowed: a whole number",
        "finite_number": "allowed: a finite number",
        "tuple_type": "allowed: a list",
        "dict_type": "allowed: a table",
        "model_type": "allowed: a table",
    }.get(kind)
    if plain is None:
        message = str(finding["msg"])
        return message[0].lower() + message[1:]
    return plain.format(**context)


def _guess(value: Any, allowed: str) -> str:
    options = [part.strip().strip('"') for part in allowed.replace(" or ", ",").split(",")]
    near = difflib.get_close_matches(str(value), options, 1)
    return f'did you mean "{near[0]}"? ' if near else "is not known; "


def _model_at(model: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel] | None:
    """The section that holds the last step of a path."""
    inner: type[BaseModel] | None = model
    for step in location[:-1]:
        if inner is None:
            return None
        if isinstance(step, int):
            continue
        field = inner.model_fields.get(step)
        inner = None if field is None else _section_in(field.annotation)
    return inner


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The section inside an annotation such as `Voids | None` or `tuple[Void, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _section_in(inner)
        if found is not None:
            return found
    return None


def _nearest(model: type[BaseModel], location: Sequence[str | int]) -> str:
    """A hint for a misspelt key: the nearest right one, here or in another section, or all of them."""
    key = str(location[-1])
    here = _model_at(model, location)
    names = list(here.model_fields) if here is not None else []
    near = difflib.get_close_matches(key, names, 1)
    if near:
        return f"did you mean {_dotted([*location[:-1], near[0]])}?"
    for section, field in model.model_fields.items():
        inner = _section_in(field.annotation)
        if inner is not None and key in inner.model_fields:
            return f"did you mean {section}.{key}?"
    return f"allowed: {', '.join(names)}"


def _described(model: type[BaseModel], location: Sequence[str | int]) -> str:
    here = _model_at(model, location)
    field = here.model_fields.get(str(location[-1])) if here is not None else None
    return (field.description or "it has no default") if field is not None else "it has no default"
