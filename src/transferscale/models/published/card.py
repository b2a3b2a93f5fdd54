"""The model card of an exported model: what is known is filled in, the rest is left to its author."""

from collections.abc import Mapping
from typing import Any

from transferscale.ladder import Scale

# Facts of a finished model worth telling, in this order: key of model.json, words.
FACTS = (
    ("corpus", "pretrained on the corpus"),
    ("control", "control"),
    ("objective", "objective"),
    ("seed", "seed"),
    ("clips_seen", "clips seen"),
    ("clips_unique", "different clips seen"),
    ("flops_formula", "training FLOPs"),
    ("train_loss", "training loss"),
    ("heldout_loss", "held-out loss"),
    ("heldout_low", "held-out loss, 95 % from"),
    ("heldout_high", "held-out loss, 95 % to"),
    ("weights_sha256", "SHA-256 of the weights it was exported from"),
)
USE = {
    "videomae": """```python
from transformers import VideoMAEModel

model = VideoMAEModel.from_pretrained("PATH")  # pixel_values: (batch, frames, channels, height, width)
```""",
    "safetensors": """```python
from pathlib import Path

from transferscale.models.checkpoint import load_encoder

encoder = load_encoder(Path("PATH"))  # clips: (batch, frames, height, width)
```""",
}


def card(scale: Scale, facts: Mapping[str, Any], layout: str) -> str:
    """Markdown text of the card."""
    clip = f"{scale.frames} x {scale.size} x {scale.size}"
    rows = [
        ("architecture", f"{scale.family}, {scale.depth} blocks of width {scale.width}"),
        ("parameters of the encoder", f"{scale.params_encoder:,}"),
        ("clip", f"{clip} pixels, {'luminance' if scale.channels == 1 else f'{scale.channels} channels'}"),
        ("token", f"{scale.tubelet_frames} x {scale.tubelet_size} x {scale.tubelet_size} pixels"),
    ]
    if "input" in facts:
        moments = facts["input"]
        rows.append(("input", f"(grey level - {moments['mean']:.6g}) / {moments['sd']:.6g}"))
    rows += [(words, str(facts[key])) for key, words in FACTS if facts.get(key) not in (None, "")]
    source = facts.get("published")
    if source:
        rows.append(("made from", f"{source['name']} ({source['file']}, SHA-256 {source['sha256']})"))
        rows += [("adapted", rule) for rule in source["adapted"]]
    table = "\n".join(f"| {words} | {value} |" for words, value in rows)
    licence = (
        f"The licence of {source['name']} holds for these weights; state it here."
        if source
        else "To be stated by the author, with the licence of the videos it was trained on."
    )
    return f"""---
library_name: {"transformers" if layout == "videomae" else "transferscale"}
---

# Model card

| | |
|---|---|
{table}

## Use

{USE[layout]}

## Licence

{licence}

## Intended use and limits

To be written by the author.
"""
