"""Where a recorder stood."""

from __future__ import annotations

from cedtag.errors import InputError


def parse_position(text: str) -> tuple[float, float]:
    """Latitude and longitude in degrees, from text such as "52.52,13.405"."""
    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError:
        latitude = longitude = 1e9
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise InputError(f"`position` {text}: write latitude and longitude in degrees, such as 52.52,13.405")
    return latitude, longitude
