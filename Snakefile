# transferscale: is pretraining on video worth it for a small medical dataset, and at which scale?
# This file reads the study and lists the stages; each stage is one file under workflow/rules.
import sys

from snakemake.utils import min_version

from transferscale.artefacts import canonical_json
from transferscale.errors import UserError
from transferscale.study.grid import Grid
from transferscale.study.reader import Reader
from transferscale.study.load import load_study, read_yaml

min_version("9.19")

if not workflow.configfiles:

    configfile: "config/config.yaml"


try:
    for path in workflow.configfiles:
        read_yaml(path)  # Snakemake's own reader lets a key that stands twice pass
    STUDY = load_study(config, named=", ".join(map(str, workflow.configfiles)))
except UserError as error:
    sys.exit(f"transferscale: {error}")

GRID = Grid(STUDY)
R = STUDY.folder
CORPUS = f"{R}/corpus/{STUDY.corpus.name}"


wildcard_constraints:
    dataset="|".join(d.dataset for d in STUDY.datasets) or "none",
    view="[a-z]+",
    reader="[A-Za-z0-9._+-]+",
    n="[0-9]+|all",


rule all:
    default_target: True
    input:
        f"{R}/report/index.html",


include: "workflow/rules/inputs.smk"
include: "workflow/rules/study.smk"
include: "workflow/rules/corpus.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/medical.smk"
include: "workflow/rules/transfer.smk"
include: "workflow/rules/scaling.smk"
include: "workflow/rules/report.smk"


onsuccess:
    shell("if [ -f {R}/report/verdict.json ]; then transferscale report verdict {R}; fi")
