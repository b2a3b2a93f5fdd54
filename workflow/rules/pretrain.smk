TRUNK = f"{R}/pretrain/{{corpus}}/{{objective}}/{{family}}-d{{depth}}/seed{{seed}}"


rule pretrain_rung:
    input:
        store=f"{CORPUS}/clips",
        index=f"{CORPUS}/clips.parquet",
        previous=previous_trunk,
    output:
        trunk=f"{TRUNK}/rung{{rung}}/trunk.ckpt",
        model=f"{TRUNK}/rung{{rung}}/model.safetensors",
        facts=f"{TRUNK}/rung{{rung}}/model.json",
        curve=f"{TRUNK}/rung{{rung}}/curve.parquet",
    log:
        f"{R}/logs/pretrain_rung/{{corpus}}.{{objective}}.{{family}}-d{{depth}}.s{{seed}}.r{{rung}}.log",
    wildcard_constraints:
        depth="[0-9]+",
        seed="[0-9]+",
        rung="[0-9]+",
    priority: lambda w: int(w.depth)  # the deepest trunk is the longest chain, so it starts first
    conda:
        "../../envs/train.yaml"
    threads: STUDY.pretrain.threads
    params:
        spec=rung_spec,
    shell:
        "transferscale pretrain rung --spec {params.spec:q} --store {input.store:q} --index {input.index:q}"
        " --previous '{input.previous}' --out $(dirname {output.trunk:q})"
        " 2>&1 | tee {log:q}"
