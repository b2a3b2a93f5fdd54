rule report_build:
    input:
        study=f"{R}/study.json",
        transfer=[f"{R}/scaling/{name}.parquet" for name in ("scores", "gains") if STUDY.datasets],
        curves=f"{R}/tables/curves.parquet",
        laws=f"{R}/scaling/laws.parquet",
        arms=f"{R}/tables/arms.parquet",
        crossovers=f"{R}/scaling/crossovers.parquet",
        plan=[f"{R}/scaling/plan.parquet"] if STUDY.plan else [],
        behaviour=[f"{R}/scaling/{name}.parquet" for name in ("behaviour", "continual") if STUDY.behaviour],
        checkpoints=f"{R}/tables/checkpoints.parquet",
        ladder=f"{R}/tables/ladder.parquet",
        pretraining=[
            f"{R}/scaling/{name}.parquet"
            for name in (
                "prediction",
                "hindsight",
                "surface",
                "isoflop",
                "frontier",
                "frontiers",
            )
        ],
        ledger=f"{R}/tables/ledger.parquet",
        training=f"{R}/tables/training.parquet",
        card=f"{CORPUS}/statistics.json",
        medical=[f"{R}/medical/{d.dataset}/{d.view.kind}.audit.json" for d in STUDY.datasets],
    output:
        page=report(f"{R}/report/index.html", caption="../report/page.rst", category="Verdict"),
        verdict=f"{R}/report/verdict.json",
    log:
        f"{R}/logs/report_build.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("report build")),
    shell:
        "transferscale report build --study {input.study:q} --out $(dirname {output.page:q})"
        " 2>&1 | tee {log:q}"
