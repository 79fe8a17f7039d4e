"""Pictures: an encoder that stays frozen reads those of every dataset once, before any model is tuned on them.

INPUTS: <results>/datasets/{dataset}, <results>/items/{dataset}, a folder of CLIP or SigLIP or the nursery's drawn scenes
OUTPUTS: <results>/encoder              a vision transformer that names colour, shape and place of drawn scenes
         <results>/pictures/{dataset}   the patch states of every picture, and which item has which
         <results>/pictures.json        some test items with their pictures and what is answered, for the report
"""


localrules:
    show_pictures,


rule pretrain_encoder:
    """Pre-train the nursery's encoder, and refuse it where it does not know what is asked."""
    output:
        encoder=directory("<results>/encoder"),
    log:
        "<logs>/pretrain_encoder.log",
        usage="<logs>/pretrain_encoder.usage.json",
    conda:
        "../envs/ripeness.yaml"
    threads: 1
    params:
        code=code_of("pretrain_encoder"),
        settings=from_plan(lookups.pictures.encoder_settings),
        layer=from_plan(lookups.pictures.encoder_layer),
    shell:
        r"""
        python "$PROGRAMS/pretrain_encoder.py" \
            --settings {params.settings:q} \
            --layer {params.layer} \
            --threads {threads} \
            --output {output.encoder:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule encode_images:
    """Read the pictures of one dataset by the encoder."""
    input:
        rows="<results>/datasets/{dataset}",
        drawn="<results>/items/{dataset}",
        encoder=from_plan(lookups.pictures.encoder_folder),
    output:
        pictures=directory("<results>/pictures/{dataset}"),
    log:
        "<logs>/encode_images/{dataset}.log",
        usage="<logs>/encode_images/{dataset}.usage.json",
    conda:
        "../envs/ripeness.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=from_plan(resources.encoding_memory),
        runtime=60,
    params:
        code=code_of("encode_images"),
        layer=from_plan(lookups.pictures.encoder_layer),
        control=from_plan(lookups.pictures.picture_control),
        live=from_plan(lookups.pictures.live_option),
    shell:
        r"""
        python "$PROGRAMS/encode_images.py" \
            --rows {input.rows:q} \
            --items {input.drawn:q} \
            --encoder {input.encoder:q} \
            --layer {params.layer} \
            --control {params.control:q} \
            {params.live} \
            --threads {threads} \
            --output {output.pictures:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule show_pictures:
    """Show some test items with their pictures, and what tuned models answer."""
    input:
        cells=from_plan(lookups.collect.cells_table),
        scored=from_plan(lookups.report.picture_scores),
        rows=from_plan(lookups.report.picture_rows),
        drawn=from_plan(lookups.report.picture_items),
        examples=from_plan(lookups.report.picture_examples),
    output:
        pictures="<results>/pictures.json",
    log:
        "<logs>/show_pictures.log",
        usage="<logs>/show_pictures.usage.json",
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("show_pictures"),
        settings=from_plan(lookups.analyse.finding_settings),
    shell:
        r"""
        python "$PROGRAMS/show_pictures.py" \
            --cells {input.cells:q} \
            --scored {input.scored:q} \
            --rows {input.rows:q} \
            --items {input.drawn:q} \
            --examples {input.examples:q} \
            --settings {params.settings:q} \
            --output {output.pictures:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
