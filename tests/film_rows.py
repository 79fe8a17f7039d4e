"""Training examples of several lengths: an id, a prompt and an answer each."""


def film_rows(n):
    """Make so many examples, whose prompts have up to three words more than the shortest."""
    return [
        (f"row{k}", "the film was " + "far " * (k % 4) + "long\nit is", [" good", " very bad and short"][k % 2])
        for k in range(n)
    ]
