"""Temperatures, converted."""
from typing import Literal

from fastapi import FastAPI

app = FastAPI(title="Temperatures")

Scale = Literal["celsius", "fahrenheit", "kelvin"]


def to_kelvin(value: float, scale: Scale) -> float:
    """`value` on the scale that the others are computed from."""
    return {"celsius": value + 273.15, "fahrenheit": (value + 459.67) / 1.8, "kelvin": value}[scale]


@app.get("/convert/{value}")
def convert(value: float, scale: Scale = "celsius") -> dict[Scale, float]:
    """`value`, which is on `scale`, on every scale."""
    kelvin = to_kelvin(value, scale)
    return {
        "celsius": round(kelvin - 273.15, 2),
        "fahrenheit": round(kelvin * 1.8 - 459.67, 2),
        "kelvin": round(kelvin, 2),
    }
