"""ROUGE-L by rouge-score, as Hugging Face's `evaluate` computes it by default: without stemming."""

from rouge_score.rouge_scorer import RougeScorer

from ripeness.study.scoring.words import AnyWords

# By `rouge_words` of the task.
SCORERS = {
    "english": RougeScorer(["rougeL"], use_stemmer=False),
    "any": RougeScorer(["rougeL"], use_stemmer=False, tokenizer=AnyWords()),
}


def rouge_l(text: str, references: list[str], words: str) -> float:
    """Compute the F1 (0 to 1) of a text with the nearest of the right ones."""
    return max(SCORERS[words].score(reference, text)["rougeL"].fmeasure for reference in references)
