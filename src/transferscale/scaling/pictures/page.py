"""Pictures in a page: drawn beforehand, and replaced by the interactive version where scripts run.

A page takes :func:`head` once and :func:`embed` for every picture. It loads nothing: the program that draws
(Vega) is part of it. Without scripts, and on paper, the drawing made beforehand stays.
"""

import json
import re
from functools import cache
from html import escape

import vl_convert

from transferscale.scaling.pictures.canvas import Panel, Picture, specification
from transferscale.scaling.pictures.palette import INK, MUTED, PAPER, pairs
from transferscale.scaling.pictures.svg import svg

STYLE = """
.pictures { display: grid; gap: 1.6rem 2rem; margin: 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); }
/* Plots beside each other start at the same height, however long their captions are. */
.picture { margin: 0; min-width: 0; max-width: 44rem; display: grid; grid-row: span 3; grid-template-rows: subgrid;
  grid-template-columns: minmax(0, 1fr); gap: 0; align-content: start; }
.picture figcaption { margin: 0 0 .4rem; font-size: .88rem; }
.picture figcaption strong { display: block; color: var(--ink); font-size: .95rem; overflow-wrap: anywhere; }
.picture figcaption span { display: block; }
.picture svg { display: block; width: auto; max-width: 100%; height: auto; overflow: visible; }
.picture .live { width: 100%; }
.picture details { font-size: .85rem; }
.picture.drawn .still { display: none; }
#vg-tooltip-element { font: inherit; font-size: .82rem; white-space: pre-line; }
@media print { .picture.drawn .still { display: block; } .picture .live { display: none; } }
"""
# A picture is drawn when it comes into view, because one that is folded away has no width.
SCRIPT = """
addEventListener("DOMContentLoaded", () => {
  const draw = async (figure) => {
    const still = figure.querySelector(".still"), live = document.createElement("div");
    live.className = "live";
    for (const name of ["role", "aria-label"]) live.setAttribute(name, still.getAttribute(name));
    still.after(live);
    try {
      await vegaEmbed(live, JSON.parse(figure.querySelector("script").textContent),
        { mode: "vega-lite", renderer: "svg", actions: false, config: { aria: false, background: "transparent" } });
      figure.classList.add("drawn");
    } catch (error) { live.remove(); console.error(error); }
  };
  const seen = new IntersectionObserver((entries) => entries.forEach((entry) => {
    if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); }
  }), { rootMargin: "400px" });
  document.querySelectorAll(".picture").forEach((figure) => seen.observe(figure));
});
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; --ink: {ink[0]}; --muted: {muted[0]}; --paper: {paper[0]}; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: {ink[1]}; --muted: {muted[1]}; --paper: {paper[1]}; }}
}}
body {{ margin: 0 auto; max-width: 76rem; padding: 1.2rem clamp(1rem, 4vw, 2.5rem) 3rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }}
h1 {{ font-size: 1.25rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }}
p {{ margin: 0 0 .3rem; color: var(--muted); font-size: .9rem; max-width: 60rem; }}
body > .pictures {{ margin-top: 1.4rem; }}
figcaption, details {{ color: var(--muted); }}
</style>
{head}
</head>
<body>
<h1>{title}</h1>
{lines}
{figures}
</body>
</html>
"""


@cache
def head() -> str:
    """What a page needs once in its head: styles, the program that draws, and the start of it."""
    program = re.sub("</(?=script)", r"<\\/", vl_convert.javascript_bundle(SCRIPT), flags=re.IGNORECASE)
    return f"<style>{STYLE}{_dark()}</style>\n<script>{program}</script>"


def _dark() -> str:
    """Colours of a drawing follow the page's theme; a style is stronger than an attribute."""
    rules = [
        f'.picture [{what}="{light}"] {{ {what}: {dark}; }}'
        for light, dark in pairs().items()
        for what in ("fill", "stroke")
    ]
    return "@media (prefers-color-scheme: dark) {\n" + "\n".join(rules) + "\n}\n"


def embed(picture: Picture, name: str) -> str:
    """The figures of a picture for a page that has :func:`head`; ``name`` is unique in the page."""
    figures = [_figure(panel, f"{name}-{i}") for i, panel in enumerate(picture.panels, 1)]
    return f'<div class="pictures" id="{escape(name)}">\n' + "\n".join(figures) + "\n</div>"


def _figure(panel: Panel, name: str) -> str:
    caption = "".join(f"<span>{escape(line)}</span>" for line in panel.lines)
    if panel.title:
        caption = f"<strong>{escape(panel.title)}</strong>{caption}"
    notes = ""
    if panel.notes:
        count = f"{len(panel.notes)} warning{'s' * (len(panel.notes) != 1)}"
        items = "".join(f"<li>{escape(note)}</li>" for note in panel.notes)
        notes = f"<details><summary>{count}</summary><ul>{items}</ul></details>\n"
    # "<" inside of a script would be read as its end.
    live = json.dumps(specification(panel.live()), separators=(",", ":")).replace("<", "\\u003c")
    still = f'<div class="still" role="img" aria-label="{escape(panel.description)}">{_drawing(panel, name)}</div>'
    return (
        f'<figure class="picture" id="{escape(name)}">\n<figcaption>{caption}</figcaption>\n'
        f"<div>{still}</div>\n"
        f'<script type="application/json">{live}</script>\n{notes}</figure>'
    )


def _drawing(panel: Panel, name: str) -> str:
    """SVG for the inside of a page: without a background."""
    drawn = svg(panel.still(titled=False), name)
    drawn = re.sub(r'<rect width="\d+" height="\d+" fill="white"/>', "", drawn, count=1)
    return drawn.replace("<svg", '<svg aria-hidden="true"', 1)


def page(picture: Picture) -> str:
    """A page of its own, in one file."""
    return PAGE.format(
        title=escape(picture.title),
        lines="\n".join(f"<p>{escape(line)}</p>" for line in picture.lines),
        figures=embed(picture, "picture"),
        head=head(),
        ink=INK,
        muted=MUTED,
        paper=PAPER,
    )
