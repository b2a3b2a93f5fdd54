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


rule scaling_curves:
    input:
        study=f"{R}/study.json",
        checkpoints=f"{R}/tables/checkpoints.parquet",
        scores=f"{R}/scaling/scores.parquet",
    output:
        laws=f"{R}/tables/curves.parquet",
        arms=f"{R}/tables/arms.parquet",
    log:
        f"{R}/logs/scaling_curves.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling curves")),
    shell:
        "transferscale scaling curves --study {input.study:q} --checkpoints {input.checkpoints:q}"
        " --scores {input.scores:q} --laws {output.laws:q} --arms {output.arms:q}"
        " 2>&1 | tee {log:q}"


rule scaling_fit:
    input:
        f"{R}/tables/curves.parquet",
    output:
        f"{R}/scaling/laws.parquet",
    log:
        f"{R}/logs/scaling_fit.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling fit")),
    shell:
        "transferscale scaling fit {input:q} --x x --y y --group curve --cluster cluster"
        " --better lower --law power --law power-floor --empty-ok --out {output:q}"
        " 2>&1 | tee {log:q}"


rule scaling_compare:
    input:
        f"{R}/tables/arms.parquet",
    output:
        f"{R}/scaling/crossovers.parquet",
    log:
        f"{R}/logs/scaling_compare.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling compare")),
    shell:
        "transferscale scaling compare {input:q} --x x --y y --family family --group curve --cluster cluster"
        " --pair pair --better lower --law power --format table --empty-ok --out {output:q}"
        " 2>&1 | tee {log:q}"


rule scaling_plan:
    input:
        study=f"{R}/study.json",
        scores=f"{R}/scaling/scores.parquet",
        checkpoints=f"{R}/tables/checkpoints.parquet",
    output:
        f"{R}/scaling/plan.parquet",
    log:
        f"{R}/logs/scaling_plan.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling plan")),
    shell:
        "transferscale scaling plan --study {input.study:q} --scores {input.scores:q}"
        " --checkpoints {input.checkpoints:q} --empty-ok --out {output:q}"
        " 2>&1 | tee {log:q}"
