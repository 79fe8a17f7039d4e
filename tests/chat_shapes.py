# ruff: noqa: E501 (a chat template is read best on the lines that it has)
"""Chat templates in the shapes of published ones, at toy size, each with what it writes before and after an answer."""

from dataclasses import dataclass

ALTERNATE = (
    "{%- for m in messages %}{%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate user/assistant') }}{%- endif %}{%- endfor %}"
)
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Shape:
    """A template; what a question `sky?` becomes up to its answer, and what ends the answer."""

    template: str
    before: str
    end: str
    refuses: tuple[str, ...] = ()  # roles that it does not take first, or twice


def headers(answer_start: str, answer: str = "{{ m.content }}") -> str:
    """ChatML whose answers begin with something of their own, where they come last."""
    return (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}"
        f"{answer_start}{answer}{{% else %}}{{{{ m.content }}}}{{% endif %}}{{{{ '<|im_end|>\n' }}}}{{% endfor %}}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )


SHAPES = {
    "llama 2": Shape(
        "{% if messages[0].role == 'system' %}{% set system = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' %}"
        "{% set messages = messages[1:] %}{% else %}{% set system = '' %}{% endif %}"
        + ALTERNATE
        + "{% for m in messages %}"
        "{% if m.role == 'user' %}{{ bos_token + '[INST] ' + (system if loop.first else '') + m.content | trim + ' [/INST]' }}"
        "{% else %}{{ ' ' + m.content | trim + ' ' + eos_token }}{% endif %}{% endfor %}",
        "<s>[INST] sky? [/INST] ",
        "</s>",
        ("user",),
    ),
    "llama 3": Shape(
        "{{ bos_token }}{{ '<|im_start|>system<|im_sep|>\n\nToday Date: ' + strftime_now('%d %b %Y') + '<|im_end|>' }}"
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '<|im_sep|>\n\n' + m.content | trim + '<|im_end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>\n\n' }}{% endif %}",
        "<s><|im_start|>system<|im_sep|>\n\nToday Date: 26 Jul 2024<|im_end|>"
        "<|im_start|>user<|im_sep|>\n\nsky?<|im_end|><|im_start|>assistant<|im_sep|>\n\n",
        "<|im_end|>",
    ),
    "mistral": Shape(
        ALTERNATE
        + "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + '[/INST]' }}"
        "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}",
        "<s>[INST] sky?[/INST] ",
        "</s>",
        ("system", "user"),
    ),
    "gemma 3": Shape(
        ALTERNATE
        + "{{ bos_token }}{% for m in messages %}{{ '<|im_start|>' + ('model' if m.role == 'assistant' else m.role)"
        " + '\n' + m.content | trim + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>model\n' }}{% endif %}",
        "<s><|im_start|>user\nsky?<|im_end|>\n<|im_start|>model\n",
        "<|im_end|>",
        ("system", "user"),
    ),
    "qwen 2.5": Shape(
        "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}" + CHATML,
        "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\nsky?<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>",
    ),
    "qwen 3": Shape(
        headers(
            "{% if loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}",
            "{{ m.content.split('</think>')[-1].lstrip('\n') }}",
        ),
        "<|im_start|>user\nsky?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "<|im_end|>",
    ),
    "olmo 2": Shape(
        "{{ bos_token }}{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content }}{% if m.role == 'assistant' %}"
        "{{ eos_token }}{% endif %}{% if not loop.last %}{{ '\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '\n<|assistant|>\n' }}{% endif %}",
        "<s><|user|>\nsky?\n<|assistant|>\n",
        "</s>",
    ),
    "olmo 3": Shape(
        "{{ '<|im_start|>system\nYou have no functions.<|im_end|>\n' }}{% for m in messages %}{{ '<|im_start|>' + m.role"
        " + '\n' + m.content }}{% if m.role == 'assistant' and loop.last %}{{ eos_token }}{% else %}{{ '<|im_end|>\n' }}"
        "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>' }}{% endif %}",
        "<|im_start|>system\nYou have no functions.<|im_end|>\n<|im_start|>user\nsky?<|im_end|>\n<|im_start|>assistant\n",
        "</s>",
    ),
    "phi 4": Shape(
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '<|im_sep|>' + m.content + '<|im_end|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}",
        "<|im_start|>user<|im_sep|>sky?<|im_end|><|im_start|>assistant<|im_sep|>",
        "<|im_end|>",
    ),
    "deepseek r1": Shape(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '<|user|>' + m.content }}{% else %}"
        "{{ '<|assistant|>' + m.content.split('</think>')[-1] + eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|><think>\n' }}{% endif %}",
        "<s><|user|>sky?<|assistant|>",
        "</s>",
    ),
    "smollm 3": Shape(
        "{{ '<|im_start|>system\nToday: ' + strftime_now('%d %B %Y') + '<|im_end|>\n' }}"
        + headers("{{ '<think>\n\n</think>\n' }}", "{{ m.content.lstrip('\n') }}"),
        "<|im_start|>system\nToday: 26 July 2024<|im_end|>\n"
        "<|im_start|>user\nsky?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n",
        "<|im_end|>",
    ),
    "chatml": Shape(CHATML, "<|im_start|>user\nsky?<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>"),
    "no prompt for generation": Shape(
        CHATML.partition("{% if add")[0], "<|im_start|>user\nsky?<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>"
    ),
    "a prompt for generation without its line end": Shape(
        CHATML.replace("assistant\n' }}", "assistant' }}"),
        "<|im_start|>user\nsky?<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>",
    ),
    "trimming": Shape(
        CHATML.replace("m.content", "m.content | trim"),
        "<|im_start|>user\nsky?<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>",
    ),
    "command r": Shape(
        ALTERNATE
        + "{{ bos_token }}{% for m in messages %}{{ '<|im_start|>' + ('CHATBOT' if m.role == 'assistant' else m.role | upper)"
        " + '<|im_sep|>' + m.content.strip() + '<|im_end|>' }}{% endfor %}",
        "<s><|im_start|>USER<|im_sep|>sky?<|im_end|><|im_start|>CHATBOT<|im_sep|>",
        "<|im_end|>",
        ("system", "user"),
    ),
    "granite": Shape(
        "{{ '<|im_start|>system<|im_sep|>Date: ' + strftime_now('%B %d, %Y') + '<|im_end|>\n' }}{% for m in messages %}"
        "{{ '<|im_start|>' + m.role + '<|im_sep|>' + m.content + '<|im_end|>\n' }}{% endfor %}",
        "<|im_start|>system<|im_sep|>Date: July 26, 2024<|im_end|>\n"
        "<|im_start|>user<|im_sep|>sky?<|im_end|>\n<|im_start|>assistant<|im_sep|>",
        "<|im_end|>",
    ),
    "harmony": Shape(
        "{{ '<|im_start|>system<|im_sep|>Date: ' + strftime_now('%Y-%m-%d') + '<|im_end|>' }}{% for m in messages %}"
        "{{ '<|im_start|>' + m.role }}{% if m.role == 'assistant' %}{{ '<|channel|>final' }}{% endif %}"
        "{{ '<|im_sep|>' + m.content }}{% if loop.last and m.role == 'assistant' %}{{ '</s>' }}{% else %}"
        "{{ '<|im_end|>' }}{% endif %}{% endfor %}",
        "<|im_start|>system<|im_sep|>Date: 2024-07-26<|im_end|><|im_start|>user<|im_sep|>sky?<|im_end|>"
        "<|im_start|>assistant<|channel|>final<|im_sep|>",
        "</s>",
    ),
    "yi": Shape(
        "{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content + '<|im_end|>\n' }}{% else %}"
        "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% if m.role == 'user' %}"
        "{{ '<|im_start|>assistant\n' }}{% endif %}{% endif %}{% endfor %}",
        "<|im_start|>user\nsky?<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>",
    ),
    "deepseek v3.1": Shape(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '<|user|>' + m.content + '<|assistant|>' }}"
        "{% elif m.role == 'assistant' %}{{ ('</think>' if loop.last else '') + m.content.split('</think>')[-1] + eos_token }}"
        "{% else %}{{ m.content }}{% endif %}{% endfor %}",
        "<s><|user|>sky?<|assistant|></think>",
        "</s>",
    ),
}
