# Run by Snakemake in the new environment, from the working directory: install this checkout itself.
set -eu
python -m pip install --no-deps "$PWD"
