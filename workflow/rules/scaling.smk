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
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling checkpoints")),
    shell:
        "transferscale scaling checkpoints --study {input.study:q} --out {output:q}" " 2>&1 | tee {log:q}"


# Only what lies before the last rung is read here, so that nothing of it can leak into what is foretold of it.
rule scaling_earlier:
    input:
        study=f"{R}/study.json",
        models=[
            f"{R}/{reader.folder}/model.json" for reader in GRID.ladder() if reader.rung < STUDY.rung("last")
        ],
    output:
        f"{R}/tables/earlier.parquet",
    log:
        f"{R}/logs/scaling_earlier.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling checkpoints")),
    shell:
        "transferscale scaling checkpoints --study {input.study:q} --before-last --out {output:q}"
        " 2>&1 | tee {log:q}"


rule scaling_predict:
    input:
        study=f"{R}/study.json",
        checkpoints=f"{R}/tables/earlier.parquet",
    output:
        f"{R}/scaling/prediction.parquet",
    log:
        f"{R}/logs/scaling_predict.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling predict")),
    shell:
        "transferscale scaling predict --study {input.study:q} --checkpoints {input.checkpoints:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule scaling_hindsight:
    input:
        prediction=f"{R}/scaling/prediction.parquet",
        checkpoints=f"{R}/tables/checkpoints.parquet",
    output:
        f"{R}/scaling/hindsight.parquet",
    log:
        f"{R}/logs/scaling_hindsight.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling hindsight")),
    shell:
        "transferscale scaling hindsight --prediction {input.prediction:q} --checkpoints {input.checkpoints:q}"
        " --out {output:q}"
        " 2>&1 | tee {log:q}"


rule scaling_ladder:
    input:
        f"{R}/tables/checkpoints.parquet",
    output:
        f"{R}/tables/ladder.parquet",
    log:
        f"{R}/logs/scaling_ladder.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling ladder")),
    shell:
        "transferscale scaling ladder --checkpoints {input:q} --out {output:q}" " 2>&1 | tee {log:q}"


rule scaling_surface:
    input:
        f"{R}/tables/ladder.parquet",
    output:
        f"{R}/scaling/surface.parquet",
    log:
        f"{R}/logs/scaling_surface.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling fit")),
    shell:
        "transferscale scaling fit {input:q} --x params_encoder --x2 clips_seen --y heldout_loss --group family"
        " --cluster trunk --better lower --law chinchilla --empty-ok --out {output:q}"
        " 2>&1 | tee {log:q}"


rule scaling_isoflop:
    input:
        f"{R}/tables/ladder.parquet",
    output:
        minima=f"{R}/scaling/isoflop.parquet",
        laws=f"{R}/scaling/frontier.parquet",
        crossovers=f"{R}/scaling/frontiers.parquet",
    log:
        f"{R}/logs/scaling_isoflop.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling isoflop")),
    shell:
        "transferscale scaling isoflop {input:q} --n params_encoder --c flops_formula --d clips_seen --y heldout_loss"
        " --group family --cluster trunk --better lower --empty-ok"
        " --out {output.minima:q} --laws {output.laws:q} --crossovers {output.crossovers:q}"
        " 2>&1 | tee {log:q}"


rule scaling_gain:
    input:
        study=f"{R}/study.json",
        predictions=f"{R}/tables/predictions",
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


rule scaling_behaviour:
    input:
        study=f"{R}/study.json",
        predictions=f"{R}/tables/predictions",
    output:
        behaviour=f"{R}/scaling/behaviour.parquet",
        continual=f"{R}/scaling/continual.parquet",
    log:
        f"{R}/logs/scaling_behaviour.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("scaling behaviour")),
    shell:
        "transferscale scaling behaviour --study {input.study:q} --predictions {input.predictions:q}"
        " --behaviour {output.behaviour:q} --continual {output.continual:q}"
        " 2>&1 | tee {log:q}"


rule scaling_curves:
    input:
        study=f"{R}/study.json",
        checkpoints=f"{R}/tables/checkpoints.parquet",
        scores=[f"{R}/scaling/scores.parquet"] if STUDY.datasets else [],
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
        " --scores '{input.scores}' --laws {output.laws:q} --arms {output.arms:q}"
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
