"""Draws panels of numbers and lines as SVG: what Grafana would show of the same queries, in plain form."""

from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from math import isfinite
from typing import NamedTuple

COLOURS = ("#3871dc", "#e0752d", "#299c46", "#a352cc", "#d44a3a", "#1f9e9e", "#8f7a00", "#7a7a7a")
LEGEND_MAX = 6
GRIDLINES = 4
UNITS = {"s": (1, "s"), "percentunit": (100, "%"), "ops": (1, "/s"), "bytes": (1 / (1 << 20), " MiB")}
"""The factor and the text of a unit; others are plain numbers."""


class Box(NamedTuple):
    """A place on the picture, in pixels."""

    x: float
    y: float
    width: float
    height: float


class Series(NamedTuple):
    """A line: its name and its points, as seconds since the start and values."""

    name: str
    points: Sequence[tuple[float, float]]


def picture(size: tuple[float, float], title: str, parts: Iterable[str]) -> str:
    """Returns the SVG file of some parts."""
    width, height = size
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="10">'
    )
    return "\n".join(
        [head, f"<title>{escape(title)}</title>", _rectangle(Box(0, 0, width, height), "#f4f5f5"), *parts, "</svg>\n"]
    )


def text(x: float, y: float, content: str, style: str = 'fill="#444"') -> str:
    """Returns a line of text."""
    return f'<text x="{x:.0f}" y="{y:.0f}" {style}>{escape(content)}</text>'


def number_panel(box: Box, title: str, value: float, unit: str, *, alarming: bool) -> str:
    """Returns a panel with one number."""
    style = f'fill="{COLOURS[4] if alarming else COLOURS[2]}" font-size="26" text-anchor="middle"'
    shown = text(box.x + box.width / 2, box.y + box.height / 2 + 16, _amount(value, unit), style)
    return "\n".join([*_frame(box, title), shown])


def line_panel(box: Box, title: str, unit: str, lines: Sequence[Series], seconds: float) -> str:
    """Returns a panel with lines over time, from 0 to `seconds`: the highest first, without those that are always 0."""
    lines = sorted((line for line in lines if _height(line)), key=_height, reverse=True)
    factor, _ = UNITS.get(unit, (1, ""))
    top = _round_up(max(map(_height, lines), default=0.0) * factor) / factor
    plot = Box(box.x + 56, box.y + 28, box.width - 68, box.height - 74)
    parts = _frame(box, title)
    for step in range(GRIDLINES + 1):
        y = plot.y + plot.height * (1 - step / GRIDLINES)
        parts.append(f'<path d="M{plot.x:.0f} {y:.0f}h{plot.width:.0f}" stroke="#ddd"/>')
        parts.append(text(plot.x - 5, y + 3, _amount(top * step / GRIDLINES, unit), 'fill="#777" text-anchor="end"'))
    minutes = int(seconds // 60)
    for minute in range(minutes + 1):
        x = plot.x + plot.width * 60 * minute / seconds
        parts.append(text(x, plot.y + plot.height + 13, f"{minute} min", 'fill="#777" text-anchor="middle"'))
    for index, line in enumerate(lines):
        colour = COLOURS[index % len(COLOURS)]
        parts.append(
            f'<path d="{_path(plot, line.points, top, seconds)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        )
    return "\n".join([*parts, *_legend(box, lines)])


def _height(line: Series) -> float:
    return max((value for _, value in line.points if isfinite(value)), default=0.0)


def _frame(box: Box, title: str) -> list[str]:
    return [
        _rectangle(box, "#fff"),
        text(box.x + 8, box.y + 16, title, 'fill="#222" font-size="12" font-weight="bold"'),
    ]


def _rectangle(box: Box, colour: str) -> str:
    return f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" fill="{colour}"/>'


def _legend(box: Box, lines: Sequence[Series]) -> list[str]:
    """Returns the names of the lines, in two rows below the plot."""
    shown = [line.name for line in lines[:LEGEND_MAX]]
    if len(lines) > LEGEND_MAX:
        shown[-1] = f"{len(lines) - LEGEND_MAX + 1} more"
    parts = []
    for index, name in enumerate(shown):
        x = box.x + 10 + (index % 3) * (box.width - 16) / 3
        y = box.y + box.height - 19 + 13 * (index // 3)
        parts.append(_rectangle(Box(x, y - 4, 8, 3), COLOURS[index % len(COLOURS)]))
        parts.append(text(x + 11, y, name if len(name) <= 21 else f"{name[:20]}…"))
    return parts


def _path(plot: Box, points: Sequence[tuple[float, float]], top: float, seconds: float) -> str:
    """Returns the path of a line, which is interrupted where a value is missing."""
    pieces = []
    for finite, run in groupby(points, key=lambda point: isfinite(point[1])):
        if finite:
            places = [
                f"{plot.x + plot.width * time / seconds:.0f} {plot.y + plot.height * (1 - value / top):.1f}"
                for time, value in run
            ]
            pieces.append("M" + "L".join(places if len(places) > 1 else places * 2))
    return "".join(pieces)


def _round_up(value: float) -> float:
    """Returns the next number of 1, 2, 4 and 8 with zeros; 1 for nothing."""
    scale = 1e-6
    while value > 0:
        for factor in (1, 2, 4, 8):
            if value <= factor * scale:
                return factor * scale
        scale *= 10
    return 1.0


def _amount(value: float, unit: str) -> str:
    factor, suffix = UNITS.get(unit, (1, ""))
    return f"{value * factor:.3g}{suffix}" if value * factor < 1000 else f"{value * factor:,.0f}{suffix}"
