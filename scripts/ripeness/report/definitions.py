"""Define in a line each word of the project that a reader of the report meets, on hover and on focus."""

import re

from markupsafe import Markup, escape

DEFINITIONS = {
    "annealed": "A branch of the run whose learning rate has fallen to zero.",
    "confidence set": "The checkpoints that hold the truly best one with the stated probability.",
    "displacement": "The distance between the weights before and after tuning.",
    "exponent": "The slope on logarithmic axes: at 1, twice the tokens give twice as much; at 0, as much.",
    "fixed rate": "The same learning rate for all checkpoints.",
    "floor": "The score that needs no skill: chance or the majority answer, whichever is larger.",
    "gain": "The tuned score minus the score before tuning, on the same items.",
    "indicator": "A measurement of an untouched checkpoint that may predict its score after tuning.",
    "learned in pre-training": "The last untouched checkpoints are above the floor by more than a margin, usually 0.1.",
    "nats": "The unit of loss, with the natural logarithm; 1 nat is 1.44 bits.",
    "not learned": "The last untouched checkpoints are within a margin of the floor, usually 0.1.",
    "on datasets like these": "The datasets are taken for a sample of others like them.",
    "on these datasets": "Nothing is said about other datasets.",
    "perturbation": "A change of the weights by noise or rounding.",
    "points": "Hundredths of a score: 2 points are 0.02.",
    "probe": "What a model is measured on: a dataset in one format, a text, or a task of a harness.",
    "rank correlation": "Kendall's tau: 1 if two orders agree in all pairs, −1 if they disagree in all.",
    "sensitivity": "How much a change of the weights raises the loss.",
    "transfer": "The gain or loss on a dataset other than the one tuned on.",
    "tuned rate": "The learning rate that did best at each checkpoint on validation items.",
    "untouched": "Before tuning.",
    "validation items": "Items that choose; test items choose nothing.",
}
# longest first, so that "not learned" is not read as "learned"
WORDS = re.compile(rf"\b({'|'.join(sorted(map(re.escape, DEFINITIONS), key=len, reverse=True))})\b", re.IGNORECASE)


def defined(text: str) -> Markup:
    """Mark the first use of each known word in a text with its definition; everything else is escaped."""
    parts, end, seen = [], 0, set()
    for found in WORDS.finditer(text):
        word = found[0].lower()
        if word in seen:
            continue
        seen.add(word)
        parts += [escape(text[end : found.start()]), marked(found[0], DEFINITIONS[word])]
        end = found.end()
    return Markup("").join([*parts, escape(text[end:])])


def marked(word: str, definition: str) -> Markup:
    """Write a word with its definition, for a pointer and for the keyboard."""
    return Markup('<dfn tabindex="0" title="{}">{}</dfn>').format(definition, word)
