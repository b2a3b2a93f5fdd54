rule scaling_checkpoints:
    input:
        study=f"{R}/study.json",
        models=[f"{R}/{reader.folder}/model.json" for reader in GRID.checkpoints()],
    output:
        f"{R}/tables/checkpoints.parquet",
    log:
        f"{R}/logs/scaling_checkpoints.log",
    conda:
        "../../envs/scaling.yaml"
    shell:
        "transferscale scaling checkpoints --study {input.study:q} --out {output:q}" " 2>&1 | tee {log:q}"


rule scaling_gain:
    input:
        study=f"{R}/study.json",
        predictions=f"{R}/tables/predictions.parquet",
    output:
        scores=f"{R}/scaling/scores.parquet",
        gains=f"{R}/scaling/gains.parquet",
    log:
        f"{R}/logs/scaling_gain.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling gain")),
    shell:
        "transferscale scaling gain --study {input.study:q} --predictions {input.predictions:q}"
        " --scores {output.scores:q} --gains {output.gains:q}"
        " 2>&1 | tee {log:q}"


rule scaling_laws:
    input:
        study=f"{R}/study.json",
        checkpoints=f"{R}/tables/checkpoints.parquet",
        scores=f"{R}/scaling/scores.parquet",
    output:
        f"{R}/scaling/laws.parquet",
    log:
        f"{R}/logs/scaling_laws.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling laws")),
    shell:
        "transferscale scaling laws --study {input.study:q} --checkpoints {input.checkpoints:q}"
        " --scores {input.scores:q} --out {output:q}"
        " 2>&1 | tee {log:q}"
