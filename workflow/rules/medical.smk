MEDICAL = f"{R}/medical/{{dataset}}"


rule medical_simulate:
    output:
        directory(f"{R}/simulated/{{dataset}}"),
    log:
        f"{R}/logs/medical_simulate/{{dataset}}.log",
    conda:
        "../../envs/medical.yaml"
    params:
        spec=lambda w: canonical_json(GRID.simulate_spec(w.dataset)),
    shell:
        "transferscale medical simulate --spec {params.spec:q} --threads {threads} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule medical_index:
    input:
        simulated,
    output:
        recordings=f"{MEDICAL}/recordings.parquet",
        quarantine=f"{MEDICAL}/quarantine.parquet",
    log:
        f"{R}/logs/medical_index/{{dataset}}.log",
    conda:
        "../../envs/medical.yaml"
    params:
        spec=lambda w: canonical_json(GRID.recordings_spec(w.dataset)),
    shell:
        "transferscale medical index --spec {params.spec:q} --recordings {output.recordings:q}"
        " --quarantine {output.quarantine:q}"
        " 2>&1 | tee {log:q}"


rule medical_view:
    input:
        f"{MEDICAL}/recordings.parquet",
    output:
        directory(f"{MEDICAL}/{{view}}"),
    log:
        f"{R}/logs/medical_view/{{dataset}}.{{view}}.log",
    conda:
        "../../envs/medical.yaml"
    params:
        spec=lambda w: canonical_json(GRID.view_spec(w.dataset)),
    shell:
        "transferscale medical view --spec {params.spec:q} --recordings {input:q} --threads {threads} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule medical_split:
    input:
        f"{MEDICAL}/recordings.parquet",
    output:
        f"{MEDICAL}/splits.json",
    log:
        f"{R}/logs/medical_split/{{dataset}}.log",
    conda:
        "../../envs/medical.yaml"
    params:
        spec=lambda w: canonical_json(GRID.split_spec(w.dataset)),
    shell:
        "transferscale medical split --spec {params.spec:q} --recordings {input:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule medical_corpus:
    input:
        view=lambda w: f"{R}/medical/{w.dataset}/{STUDY.dataset(w.dataset).view}",
        splits=f"{MEDICAL}/splits.json",
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
