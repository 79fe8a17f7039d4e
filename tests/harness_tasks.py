"""Tasks of lm-evaluation-harness on a few local rows: one of choices, one of generated text, one of running text."""

import json

CHOICE = """
task: My_Colours
dataset_path: json
dataset_kwargs: {data_files: {train: FOLDER/train.jsonl, test: FOLDER/test.jsonl}}
output_type: multiple_choice
training_split: train
test_split: test
doc_to_text: "see what {{noun}}\\nit is"
doc_to_choice: [good, bad]
doc_to_target: gold
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
  - {metric: f1, aggregation: f1, higher_is_better: true}
"""
TEXT = """
include: colours.yaml
task: my_words
output_type: generate_until
doc_to_text: !function words.question
doc_to_choice: null
doc_to_target: word
generation_kwargs: {until: ["\\n"], max_gen_toks: 3, do_sample: false}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
filter_list:
  - {name: whole, filter: [{function: take_first}]}
  - {name: letter, filter: [{function: regex, regex_pattern: "([a-z])"}, {function: take_first}]}
"""
RUNNING = """
include: colours.yaml
task: my_prose
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_choice: null
doc_to_target: "{{noun}} ran"
metric_list:
  - {metric: bits_per_byte, aggregation: bits_per_byte, higher_is_better: false}
num_fewshot: 0
"""
GROUP = "{group: my_group, task: [My_Colours, my_words]}"


def write_tasks(folder, n_items=11):
    """Write the task files and their rows."""
    folder.mkdir(parents=True)
    for name, text in (("colours", CHOICE), ("words", TEXT), ("prose", RUNNING), ("group", GROUP)):
        (folder / f"{name}.yaml").write_text(text.replace("FOLDER", str(folder)))
    (folder / "words.py").write_text("def question(row):\n    return f'what is {row[\"noun\"]}'\n")
    for split in ("train", "test"):
        nouns = [("the dog", "a cat", "the mat")[i % 3] + " far" * (i // 3) for i in range(n_items)]
        rows = [{"noun": noun, "gold": i * 7 // 3 % 2, "word": "eh"[i % 2]} for i, noun in enumerate(nouns)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
