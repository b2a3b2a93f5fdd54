if STUDY.corpus.synthetic is not None:

    rule corpus_synth:
        output:
            directory(f"{CORPUS}/synthetic"),
        log:
            f"{R}/logs/corpus_synth.log",
        priority: 100  # the long chain, corpus then pretraining, goes first
        conda:
            "../../envs/corpus.yaml"
        threads: 2
        params:
            spec=lambda w: canonical_json(GRID.synth_spec()),
        shell:
            "transferscale corpus synth --spec {params.spec:q} --threads {threads} --out {output:q}"
            " 2>&1 | tee {log:q}"


rule corpus_index:
    input:
        f"{CORPUS}/synthetic" if STUDY.corpus.synthetic else [],
    output:
        f"{CORPUS}/manifest.parquet",
    log:
        f"{R}/logs/corpus_index.log",
    priority: 100
    conda:
        "../../envs/corpus.yaml"
    params:
        spec=lambda w: canonical_json(GRID.index_spec()),
    shell:
        "transferscale corpus index --spec {params.spec:q} --synthetic '{input}'"
        " --threads {threads} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule corpus_clips:
    input:
        f"{CORPUS}/manifest.parquet",
    output:
        store=directory(f"{CORPUS}/clips"),
        index=f"{CORPUS}/clips.parquet",
    log:
        f"{R}/logs/corpus_clips.log",
    priority: 100
    conda:
        "../../envs/corpus.yaml"
    params:
        spec=lambda w: canonical_json(GRID.clips_spec()),
    shell:
        "transferscale corpus clips --spec {params.spec:q} --manifest {input:q} --store {output.store:q}"
        " --index {output.index:q} --threads {threads}"
        " 2>&1 | tee {log:q}"


rule corpus_card:
    input:
        manifest=f"{CORPUS}/manifest.parquet",
        store=f"{CORPUS}/clips",
        index=f"{CORPUS}/clips.parquet",
    output:
        readme=f"{CORPUS}/README.md",
        contact=f"{CORPUS}/contact.png",
        statistics=f"{CORPUS}/statistics.json",
    log:
        f"{R}/logs/corpus_card.log",
    conda:
        "../../envs/corpus.yaml"
    params:
        spec=lambda w: canonical_json(GRID.card_spec()),
    shell:
        "transferscale corpus card --spec {params.spec:q} --manifest {input.manifest:q} --store {input.store:q}"
        " --index {input.index:q} --readme {output.readme:q} --contact {output.contact:q}"
        " --statistics {output.statistics:q}"
        " 2>&1 | tee {log:q}"


rule corpus_controls:
    input:
        store=f"{CORPUS}/clips",
        index=f"{CORPUS}/clips.parquet",
    output:
        directory(f"{CORPUS}/controls/{{control}}"),
    log:
        f"{R}/logs/corpus_controls/{{control}}.log",
    wildcard_constraints:
        control="[a-z]+",
    conda:
        "../../envs/corpus.yaml"
    params:
        spec=lambda w: canonical_json(GRID.controls_spec(w.control)),
    shell:
        "transferscale corpus controls --spec {params.spec:q} --store {input.store:q} --index {input.index:q}"
        " --out {output:q}"
        " 2>&1 | tee {log:q}"
