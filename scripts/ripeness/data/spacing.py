"""How a prompt and its answer meet."""


def glued(prompt: str, answer: str) -> str:
    """The answer as it follows the prompt: with a space between unless one side brings white space."""
    if not prompt or prompt[-1].isspace() or not answer or answer[0].isspace():
        return answer
    return f" {answer}"
