"""Running text that models are read on, and not trained on.

INPUTS: text files, texts on the hub
OUTPUTS: <results>/texts/{text}.parquet    passages of running text
"""


# They need the network, or cost nothing.
localrules:
    split_text,
    fetch_passages,


rule split_text:
    """Take passages of running text from a file."""
    input:
        text=from_plan(lookups.texts.text_files),
    output:
        passages="<results>/texts/{text}.parquet",
    log:
        "<logs>/split_text/{text}.log",
        usage="<logs>/split_text/{text}.usage.json",
    wildcard_constraints:
        text=one_of(set(STUDY.settings.texts) - lookups.texts.texts_on_hub(STUDY)),
    conda:
        "../envs/ripeness.yaml"
    params:
        code=code_of("split_text"),
        n=from_plan(lookups.texts.text_items),
    shell:
        r"""
        python "$PROGRAMS/split_text.py" \
            --text {input.text:q} \
            --items {params.n} \
            --output {output.passages:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """


rule fetch_passages:
    """Take passages of running text from a dataset of the hub."""
    output:
        passages="<results>/texts/{text}.parquet",
    log:
        "<logs>/fetch_passages/{text}.log",
        usage="<logs>/fetch_passages/{text}.usage.json",
    wildcard_constraints:
        text=one_of(lookups.texts.texts_on_hub(STUDY)),
    conda:
        "../envs/ripeness.yaml"
    resources:
        hub=1,
    params:
        code=code_of("fetch_passages"),
        source=from_plan(lookups.texts.text_on_hub),
        n=from_plan(lookups.texts.text_items),
    shell:
        r"""
        HF_HUB_OFFLINE="$FETCH_OFFLINE" python "$PROGRAMS/fetch_passages.py" \
            --source {params.source:q} \
            --items {params.n} \
            --output {output.passages:q} \
            --usage {log.usage:q} 2>{log[0]:q}
        """
