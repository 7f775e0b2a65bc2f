"""Which media type a client prefers (RFC 9110, 12.5.1).  Pure."""


def quality(header: str | None, media_type: str) -> float:
    """The weight of a media type, 0.0 to 1.0, by its most specific range.

    1.0 without a header; 0.0 for a weight that can't be read.
    """
    if header is None or not header.strip():
        return 1.0
    kind = media_type.partition("/")[0]
    best = (-1, 0.0)
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        specificity = {media_type: 2, f"{kind}/*": 1, "*/*": 0}.get(name)
        if specificity is not None and specificity > best[0]:
            best = (specificity, _weight(parameters))
    return best[1]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                weight = float(parameter[2:])
            except ValueError:
                return 0.0
            return weight if 0.0 <= weight <= 1.0 else 0.0
    return 1.0


def encoding_accepted(header: str | None, coding: str) -> bool:
    """Whether a response may be sent in a content coding (RFC 9110, 12.5.3): if it is named, or `*` is."""
    weights: dict[str, float] = {}
    for part in (header or "").split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights[name] = _weight(parameters)
    return weights.get(coding, weights.get("*", 0.0)) > 0.0
