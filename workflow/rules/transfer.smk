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
        reader=r"(video|random)\..+",
    conda:
        "../../envs/train.yaml"
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
        reader="connectivity|raw-linear|spectrum|drift|dummy",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=features_spec,
    shell:
        "transferscale transfer baseline --spec {params.spec:q} --view {input.view:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule transfer_ridge:
    input:
        features=f"{TRANSFER}/features/{{reader}}.safetensors",
        view=f"{MEDICAL}/{{view}}",
        splits=f"{MEDICAL}/splits.json",
    output:
        f"{TRANSFER}/ridge/{{reader}}/n{{n}}/predictions.parquet",
    log:
        f"{R}/logs/transfer_ridge/{{dataset}}.{{view}}.{{reader}}.n{{n}}.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=fit_spec("ridge"),
    shell:
        "transferscale transfer fit --spec {params.spec:q} --features {input.features:q} --view {input.view:q}"
        " --recordings {input.view:q}/recordings.parquet --splits {input.splits:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule transfer_full:
    input:
        checkpoint=checkpoint,
        view=f"{MEDICAL}/{{view}}",
        audit=AUDIT,
        splits=f"{MEDICAL}/splits.json",
    output:
        f"{TRANSFER}/full/{{reader}}/n{{n}}/predictions.parquet",
    log:
        f"{R}/logs/transfer_full/{{dataset}}.{{view}}.{{reader}}.n{{n}}.log",
    conda:
        "../../envs/train.yaml"
    params:
        spec=fit_spec("full"),
    shell:
        "transferscale transfer fit --spec {params.spec:q} --checkpoint '{input.checkpoint}' --view {input.view:q}"
        " --recordings {input.view:q}/recordings.parquet --splits {input.splits:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule transfer_collect:
    input:
        study=f"{R}/study.json",
        cells=[f"{R}/{cell.path}" for cell in GRID.cells()],
    output:
        f"{R}/tables/predictions.parquet",
    log:
        f"{R}/logs/transfer_collect.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("transfer collect")),
    shell:
        "transferscale transfer collect --study {input.study:q} --out {output:q}" " 2>&1 | tee {log:q}"
