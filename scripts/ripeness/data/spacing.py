"""How a prompt and its answer meet."""


def glued(prompt: str, answer: str) -> str:
    """Put a space before the answer, unless prompt or answer has white space there."""
    if not prompt or prompt[-1].isspace() or not answer or answer[0].isspace():
        return answer
    return f" {answer}"
