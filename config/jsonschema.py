"""The JSON Schema of the configuration: editors check by it and errors describe values by it.

`python -m config.jsonschema` writes it to `wavigil.schema.json` beside this file.
"""

import functools
import json
from pathlib import Path
from typing import Any

from config.durations import format_duration
from config.schema import Config
from config.sizes import format_size

SCHEMA_FILE = Path(__file__).with_name("wavigil.schema.json")

Schema = dict[str, Any]


@functools.cache
def config_schema() -> Schema:
    """The JSON Schema (2020-12) of a configuration file. Don't change what is returned."""
    schema = Config.model_json_schema()
    _as_written(schema)
    for section in (schema, *schema["$defs"].values()):
        if not section.get("required"):
            # A section whose keys are all commented out is null.
            section["type"] = ["object", "null"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "wavigil configuration",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _as_written(schema: Any) -> None:
    """Write defaults as files hold them, drop generated titles, let lists and maps be null."""
    if isinstance(schema, list):
        for item in schema:
            _as_written(item)
    if not isinstance(schema, dict):
        return
    for name in ("properties", "$defs"):
        for definition in schema.get(name, {}).values():
            definition.pop("title", None)
            if definition.get("type") == "array":
                definition["type"] = ["array", "null"]
            elif definition.get("type") == "object" and "properties" not in definition:
                definition["type"] = ["object", "null"]
    default = schema.get("default")
    if default is not None:
        units = {option.get("x-unit") for option in (schema, *schema.get("anyOf", ()))}
        if "duration" in units:
            schema["default"] = format_duration(default)
        elif "size" in units:
            schema["default"] = format_size(default)
    for value in schema.values():
        _as_written(value)


def schema_text() -> str:
    """The JSON Schema as it stands in `wavigil.schema.json`."""
    return json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
