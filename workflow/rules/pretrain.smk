TRUNK = f"{R}/pretrain/{{corpus}}/{{objective}}/{{family}}-d{{depth}}/seed{{seed}}"


rule pretrain_rung:
    input:
        stores=rung_stores,
        indexes=rung_indexes,
        heldout_store=f"{CORPUS}/clips",
        heldout_index=f"{CORPUS}/clips.parquet",
        previous=previous_trunk,
    output:
        trunk=f"{TRUNK}/rung{{rung}}/trunk.ckpt",
        model=f"{TRUNK}/rung{{rung}}/model.safetensors",
        facts=f"{TRUNK}/rung{{rung}}/model.json",
        curve=f"{TRUNK}/rung{{rung}}/curve.parquet",
    log:
        f"{R}/logs/pretrain_rung/{{corpus}}.{{objective}}.{{family}}-d{{depth}}.s{{seed}}.r{{rung}}.log",
    wildcard_constraints:
        corpus="[A-Za-z0-9_+-]+",
        objective="[a-z]+",
        family="[a-z]+",
        depth="[0-9]+",
        seed="[0-9]+",
        rung="[0-9]+",
    priority: lambda w: int(w.depth)  # the deepest trunk is the longest chain, so it starts first
    conda:
        "../../envs/train.yaml"
    threads: STUDY.pretrain.threads
    resources:
        mem_mb=lambda w: GRID.rung_memory_mb(w.family, int(w.depth)),
        gpu=STUDY.pretrain.gpus,
    params:
        spec=rung_spec,
    shell:
        "transferscale pretrain rung --spec {params.spec:q}"
        " $(printf -- '--store %s ' {input.stores:q}) $(printf -- '--index %s ' {input.indexes:q})"
        " --heldout-store {input.heldout_store:q} --heldout-index {input.heldout_index:q}"
        " --previous '{input.previous}' --out $(dirname {output.trunk:q})"
        " 2>&1 | tee {log:q}"


rule pretrain_import:
    input:
        lambda w: GRID.hub_spec(w.name)["path"],
    output:
        model=f"{R}/hub/{{name}}/model.safetensors",
        facts=f"{R}/hub/{{name}}/model.json",
    log:
        f"{R}/logs/pretrain_import/{{name}}.log",
    conda:
        "../../envs/train.yaml"
    params:
        spec=lambda w: canonical_json(GRID.hub_spec(w.name)),
        frames=STUDY.corpus.clip.frames,
        size=STUDY.corpus.clip.size,
    shell:
        "transferscale pretrain import {input:q} --name {wildcards.name:q} --frames {params.frames}"
        " --size {params.size} --out $(dirname {output.model:q})"
        " 2>&1 | tee {log:q}"


rule pretrain_ledger:
    input:
        study=f"{R}/study.json",
        models=[f"{R}/{reader.folder}/model.json" for reader in GRID.rungs()],
        curves=[f"{R}/{reader.folder}/curve.parquet" for reader in GRID.rungs()],
    output:
        ledger=f"{R}/tables/ledger.parquet",
        training=f"{R}/tables/training.parquet",
    log:
        f"{R}/logs/pretrain_ledger.log",
    conda:
        "../../envs/scaling.yaml"
    params:
        spec=lambda w: canonical_json(GRID.stage_spec("pretrain ledger")),
    shell:
        "transferscale pretrain ledger --study {input.study:q} --out {output.ledger:q} --training {output.training:q}"
        " 2>&1 | tee {log:q}"
