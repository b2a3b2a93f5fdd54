localrules:
    study_check,


# Runs first and alone, so that a study whose folders or columns are missing stops before long work starts. No job takes
# its output as input but those that read the whole study: an `ancient` input would do, but with one Snakemake 9.27 leaves
# out jobs that are needed when single files are asked for.
rule study_check:
    output:
        f"{R}/study.json",
    log:
        f"{R}/logs/study_check.log",
    priority: 1000
    conda:
        "../../envs/scaling.yaml"
    threads: workflow.cores or 1
    params:
        spec=lambda w: canonical_json(GRID.study_spec()),
    shell:
        "transferscale study check --spec {params.spec:q} --out {output:q} 2>&1 | tee {log:q}"
