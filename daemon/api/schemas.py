"""JSON Schemas of the models, without the titles that pydantic makes of field names.  Pure."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

REF = "#/components/schemas/{model}"
"""Where the OpenAPI document keeps its schemas."""


class Plain(GenerateJsonSchema):
    """Leaves out titles of fields: they repeat the key."""

    def field_title_should_be_set(self, _schema: Any) -> bool:
        """Never."""
        return False
