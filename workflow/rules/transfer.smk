TRANSFER = f"{R}/transfer/{{dataset}}/{{view}}"


rule transfer_features:
    input:
        view=f"{MEDICAL}/{{view}}",
        audit=AUDIT,
        checkpoint=checkpoint,
    output:
        f"{TRANSFER}/features/{{reader}}.safetensors",
    log:
        f"{R}/logs/transfer_features/{{dataset}}.{{view}}.{{reader}}.log",
    wildcard_constraints:
        reader=r"(video|control|fmri|video\+fmri|random)\..+|hub-.+",
    conda:
        "../../envs/train.yaml"
    resources:
        mem_mb=features_mb,
    params:
        spec=features_spec,
    shell:
        "transferscale transfer features --spec {params.spec:q} --view {input.view:q}"
        " --checkpoint '{input.checkpoint}' --out {output:q}"
        " 2>&1 | tee {log:q}"


rule transfer_baseline:
    input:
        view=f"{MEDICAL}/{{view}}",
        audit=AUDIT,
    output:
        f"{TRANSFER}/features/{{reader}}.safetensors",
    log:
        f"{R}/logs/transfer_baseline/{{dataset}}.{{view}}.{{reader}}.log",
    wildcard_constraints:
        reader="connectivity|raw-linear|smooth|spectrum|confounds|drift|dummy",
    conda:
        "../../envs/train.yaml"  # inner products of ten thousand pixels are torch's
    params:
        spec=features_spec,
    shell:
        "transferscale transfer baseline --spec {params.spec:q} --view {input.view:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule transfer_tangent:
    input:
        view=f"{MEDICAL}/{{view}}",
        audit=AUDIT,
        splits=f"{MEDICAL}/splits.json",
    output:
        f"{TRANSFER}/features/{{reader}}.safetensors",
    log:
        f"{R}/logs/transfer_tangent/{{dataset}}.{{view}}.{{reader}}.log",
    wildcard_constraints:
        reader="tangent",
    conda:
        "../../envs/medical.yaml"
    params:
        spec=features_spec,
    shell:
        "transferscale transfer baseline --spec {params.spec:q} --view {input.view:q} --splits {input.splits:q}"
        " --out {output:q}"
        " 2>&1 | tee {log:q}"


rule transfer_ridge:
    input:
        features=f"{TRANSFER}/features/{{reader}}.safetensors",
        view=f"{MEDICAL}/{{view}}",
        splits=f"{MEDICAL}/splits.json",
    output:
        f"{TRANSFER}/{{read_out}}/{{reader}}/n{{n}}/predictions.parquet",
    log:
        f"{R}/logs/transfer_ridge/{{dataset}}.{{view}}.{{read_out}}.{{reader}}.n{{n}}.log",
    wildcard_constraints:
        read_out="ridge",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=fit_spec,
    shell:
        "transferscale transfer fit --spec {params.spec:q} --features {input.features:q} --view {input.view:q}"
        " --recordings {input.view:q}/recordings.parquet --splits {input.splits:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule transfer_trained:
    input:
        checkpoint=checkpoint,
        view=f"{MEDICAL}/{{view}}",
        audit=AUDIT,
        splits=f"{MEDICAL}/splits.json",
    output:
        f"{TRANSFER}/{{read_out}}/{{reader}}/n{{n}}/predictions.parquet",
    log:
        f"{R}/logs/transfer_trained/{{dataset}}.{{view}}.{{read_out}}.{{reader}}.n{{n}}.log",
    wildcard_constraints:
        read_out="attentive|fpt|lora|full",
    conda:
        "../../envs/train.yaml"
    resources:
        mem_mb=trained_mb,
    params:
        spec=fit_spec,
    shell:
        "transferscale transfer fit --spec {params.spec:q} --checkpoint '{input.checkpoint}' --view {input.view:q}"
        " --recordings {input.view:q}/recordings.parquet --splits {input.splits:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule transfer_behave:
    input:
        checkpoint=checkpoint,
        view=f"{MEDICAL}/{{view}}",
        audit=AUDIT,
        splits=f"{MEDICAL}/splits.json",
        onto=onto,
        audits=lambda w: [f"{view}.audit.json" for view in onto(w)],
    output:
        f"{TRANSFER}/behaviour/{{read_out}}/{{reader}}/n{{n}}/predictions.parquet",
    log:
        f"{R}/logs/transfer_behave/{{dataset}}.{{view}}.{{read_out}}.{{reader}}.n{{n}}.log",
    wildcard_constraints:
        read_out="ridge|full",
    conda:
        "../../envs/train.yaml"
    resources:
        mem_mb=behaviour_mb,
    params:
        spec=behaviour_spec,
    shell:
        "transferscale transfer behave --spec {params.spec:q} --checkpoint '{input.checkpoint}' --view {input.view:q}"
        " --recordings {input.view:q}/recordings.parquet --splits {input.splits:q} --out {output:q} {input.onto:q}"
        " 2>&1 | tee {log:q}"


rule transfer_continual:
    input:
        checkpoint=checkpoint,
        views=lambda w: [f"{folder}/{view}" for folder, view in sequence_folders(w)],
        splits=lambda w: [f"{folder}/splits.json" for folder, _ in sequence_folders(w)],
        audits=lambda w: [f"{folder}/{view}.audit.json" for folder, view in sequence_folders(w)],
    output:
        f"{R}/transfer/continual/{{sequence}}/{{read_out}}/{{reader}}/n{{n}}/predictions.parquet",
    log:
        f"{R}/logs/transfer_continual/{{sequence}}.{{read_out}}.{{reader}}.n{{n}}.log",
    wildcard_constraints:
        sequence="[0-9]+",
        read_out="ridge|full",
    conda:
        "../../envs/train.yaml"
    resources:
        mem_mb=continual_mb,
    params:
        spec=continual_spec,
    shell:
        "transferscale transfer continual --spec {params.spec:q} --checkpoint '{input.checkpoint}' --out {output:q}"
        " {input.views:q}"
        " 2>&1 | tee {log:q}"


rule transfer_collect:
    input:
        study=f"{R}/study.json",
        cells=[
            f"{R}/{cell.path}" for cell in [*GRID.cells(), *GRID.behaviour_cells(), *GRID.continual_cells()]
        ],
    output:
        directory(f"{R}/tables/predictions"),
    log:
        f"{R}/logs/transfer_collect.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("transfer collect")),
    shell:
        "transferscale transfer collect --study {input.study:q} --out {output:q}" " 2>&1 | tee {log:q}"
