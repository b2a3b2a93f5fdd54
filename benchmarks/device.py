"""What benchmarks of networks ask on their command line: device, threads, and where the page goes."""

import argparse
import os
from pathlib import Path

import torch


def asked(doc: str | None) -> argparse.Namespace:
    """``device``, ``threads`` (set) and ``out`` of the command line; ``doc`` is the module's docstring."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return options


def on_device(options: argparse.Namespace) -> str:
    """What a page says of the device after its heading."""
    gpu = "" if options.device == "cpu" else f", {torch.cuda.get_device_name()}"
    return f", torch {torch.__version__}, {options.threads} threads{gpu}"
