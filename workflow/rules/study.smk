rule study_check:
    output:
        f"{R}/study.json",
    log:
        f"{R}/logs/study_check.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.study_spec()),
    shell:
        "transferscale study check --spec {params.spec:q} --out {output:q}" " 2>&1 | tee {log:q}"


# Every first job of a stage waits for the check and ignores its date: a study that changed elsewhere reruns nothing.
CHECKED = ancient(f"{R}/study.json")
