MEDICAL = f"{R}/medical/{{dataset}}"
# What was found beyond doubt to leak nothing; whatever is trained or read out waits for it.
AUDIT = f"{MEDICAL}/{{view}}.audit.json"


wildcard_constraints:
    view="roi|flatmap|mosaic|volume",


rule medical_simulate:
    output:
        directory(f"{R}/simulated/{{dataset}}"),
    log:
        f"{R}/logs/medical_simulate/{{dataset}}.log",
    conda:
        "../../envs/medical.yaml"
    threads: 2
    params:
        spec=lambda w: canonical_json(GRID.simulate_spec(w.dataset)),
    shell:
        "transferscale medical simulate --spec {params.spec:q} --threads {threads} --out {output:q}"
        " 2>&1 | tee {log:q}"


# The data goes into the dataset's own folder, where a broken download is taken up; declared is the record of it.
rule medical_fetch:
    output:
        f"{R}/fetched/{{dataset}}.json",
    log:
        f"{R}/logs/medical_fetch/{{dataset}}.log",
    conda:
        "../../envs/medical.yaml"
    params:
        spec=lambda w: canonical_json(GRID.fetch_spec(w.dataset)),
    shell:
        "transferscale medical fetch --spec {params.spec:q} --out {output:q}" " 2>&1 | tee {log:q}"


rule medical_index:
    input:
        origin,
    output:
        recordings=f"{MEDICAL}/recordings.parquet",
        quarantine=f"{MEDICAL}/quarantine.parquet",
    log:
        f"{R}/logs/medical_index/{{dataset}}.log",
    conda:
        "../../envs/medical.yaml"
    params:
        spec=lambda w: canonical_json(GRID.recordings_spec(w.dataset)),
        state=state,
    shell:
        "transferscale medical index --spec {params.spec:q} --recordings {output.recordings:q}"
        " --quarantine {output.quarantine:q}"
        " 2>&1 | tee {log:q}"


# A share of the subjects, so that a large dataset scatters over a cluster. The recordings are prepared into a folder
# that no rule declares: whoever comes again prepares only what is new.
rule medical_part:
    input:
        f"{MEDICAL}/recordings.parquet",
    output:
        f"{MEDICAL}/.prepared/{{view}}-{{chunk}}.json",
    log:
        f"{R}/logs/medical_part/{{dataset}}.{{view}}.{{chunk}}.log",
    wildcard_constraints:
        chunk="[0-9]+",
    conda:
        "../../envs/medical.yaml"
    threads: 2  # its result does not depend on them
    params:
        spec=lambda w: canonical_json(GRID.part_spec(w.dataset, int(w.chunk))),
        state=state,
    shell:
        "transferscale medical part --spec {params.spec:q} --recordings {input:q} --threads {threads} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule medical_view:
    input:
        recordings=f"{MEDICAL}/recordings.parquet",
        quarantine=f"{MEDICAL}/quarantine.parquet",
        parts=lambda w: [f"{R}/{part}" for part in GRID.view_parts(w.dataset)],
    output:
        directory(f"{MEDICAL}/{{view}}"),
    log:
        f"{R}/logs/medical_view/{{dataset}}.{{view}}.log",
    conda:
        "../../envs/medical.yaml"
    threads: 2  # its result does not depend on them
    params:
        spec=lambda w: canonical_json(GRID.view_spec(w.dataset)),
        state=state,
    shell:
        "transferscale medical view --spec {params.spec:q} --recordings {input.recordings:q}"
        " --quarantine {input.quarantine:q} --threads {threads} --out {output:q}"
        " 2>&1 | tee {log:q}"


# Of the recordings in the view: the index cannot tell what breaks only when it is read to its end.
rule medical_split:
    input:
        lambda w: f"{R}/medical/{w.dataset}/{STUDY.dataset(w.dataset).view.kind}",
    output:
        f"{MEDICAL}/splits.json",
    log:
        f"{R}/logs/medical_split/{{dataset}}.log",
    conda:
        "../../envs/medical.yaml"
    params:
        spec=lambda w: canonical_json(GRID.split_spec(w.dataset)),
    shell:
        "transferscale medical split --spec {params.spec:q} --recordings {input:q}/recordings.parquet --out {output:q}"
        " 2>&1 | tee {log:q}"


rule medical_audit:
    input:
        view=f"{MEDICAL}/{{view}}",
        splits=f"{MEDICAL}/splits.json",
    output:
        AUDIT,
    log:
        f"{R}/logs/medical_audit/{{dataset}}.{{view}}.log",
    conda:
        "../../envs/medical.yaml"
    params:
        spec=lambda w: canonical_json(GRID.audit_spec()),
    shell:
        "transferscale medical audit --view {input.view:q} --recordings {input.view:q}/recordings.parquet"
        " --splits {input.splits:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule medical_corpus:
    input:
        view=lambda w: f"{R}/medical/{w.dataset}/{STUDY.dataset(w.dataset).view.kind}",
        splits=f"{MEDICAL}/splits.json",
        audit=lambda w: f"{R}/medical/{w.dataset}/{STUDY.dataset(w.dataset).view.kind}.audit.json",
    output:
        f"{R}/corpus/{{dataset}}-k{{fold}}/clips.parquet",
    log:
        f"{R}/logs/medical_corpus/{{dataset}}.k{{fold}}.log",
    wildcard_constraints:
        fold="[0-9]+",
    conda:
        "../../envs/medical.yaml"
    params:
        spec=lambda w: canonical_json(GRID.fold_spec(w.dataset, int(w.fold))),
    shell:
        "transferscale medical corpus --spec {params.spec:q} --view {input.view:q} --splits {input.splits:q}"
        " --out {output:q}"
        " 2>&1 | tee {log:q}"
