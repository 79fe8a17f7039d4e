"""Templates and patterns of others: refused or made in bounded time and memory, and the same at every making."""

import time

import pytest

from ripeness.runtime.errors import UserError
from ripeness.study.scoring.extraction import extracted
from ripeness.study.templates import check_template, check_value, evaluate, render
from ripeness.study.user_patterns import PatternError, check_group, search

KNOWN = ["text", "options"]
VALUES = {"text": "some words here", "options": ["one", "two"]}
MOST_SECONDS = 10  # of processor time; each takes two at most on an idle machine

# what would hang, fill the memory, differ from time to time, or reach too far
ATTACKS = {
    "nested loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}{{ text }}",
    "nested loops that write": "{% for i in range(9999) %}{% for j in range(999) %}x{% endfor %}{% endfor %}{{ text }}",
    "a long range": "{{ range(10**9)|list }}{{ text }}",
    "a range joined by a long text": "{{ range(99999)|join(text*1000) }}",
    "a text times a number": "{{ 'x' * 10**9 }}{{ text }}",
    "a field times a number": "{{ text * 10**9 }}",
    "a list times a number": "{{ [text] * 10**9 }}",
    "a power": "{{ 2**(2**40) }}{{text}}",
    "a power of what is negative": "{{ (-7)**99999999 }}{{text}}",
    "squares of squares": "{% set a=12345678901234567890 %}" + "{% set a=a*a %}" * 60 + "{{ a }}{{ text }}",
    "a text doubled by ~": "{% set a=text %}" + "{% set a=a~a %}" * 60 + "{{ a }}",
    "a text doubled by +": "{% set a=text %}" + "{% set a=a+a %}" * 60 + "{{ a }}",
    "lists of lists of lists": "{% set a=[text] %}" + "{% set a=[a,a,a,a,a,a,a,a,a,a] %}" * 12 + "{{ a }}",
    "tuples of tuples": "{% set a=(text,1) %}" + "{% set a=(a,a,a,a,a,a,a,a,a,a) %}" * 12 + "{{ a|length }}",
    "mappings of mappings": "{% set a={'a':text} %}" + "{% set a={'a':a,'b':a,'c':a} %}" * 30 + "{{ a }}",
    "two such lists compared": "{% set a=[text] %}{% set b=[text] %}"
    + "{% set a=[a,a] %}{% set b=[b,b] %}" * 40
    + "{{ a==b }}",
    "a pattern that backtracks": "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'|sub('(a|aa)+$','') }}{{ text }}",
    "a pattern that copies the rest at every place": "{{ ('a'*100000)|sub('(?=(.*))','\\\\1') }}{{ text }}",
    "a long text at every place": "{{ ('a'*100000)|sub('', text*100) }}",
    "a group a thousand times over": "{{ ('a'*9999)|sub('.+', '\\\\g<0>'*9999) }}{{ text }}",
    "a pattern that does not parse": "{{ text|sub('(', '') }}",
    "a drawn value": "{{ [1,2,3]|random }}{{ text }}",
    "a shuffled text": "{{ text|shuffle }}",
    "filler text": "{{ lipsum() }}{{ text }}",
    "much filler text": "{{ lipsum(n=100000) }}{{ text }}",
    "a cycler": "{% set c=cycler(1,2) %}{{ c.next() }}{{ text }}",
    "a joiner": "{% set j=joiner() %}{{ j() }}{{ text }}",
    "a namespace": "{% set n=namespace(a=1) %}{{ n.a }}{{ text }}",
    "drawn values by map": "{{ [[1,2]]|map('random')|list }}{{ text }}",
    "a macro that calls itself": "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}{{ text }}",
    "a recursive loop": "{% for i in [1] recursive %}{{ loop([1,1]) }}{% endfor %}{{ text }}",
    "a file": "{% include '/etc/passwd' %}{{ text }}",
    "an import": "{% import 'a' as b %}{{ text }}",
    "an import of a name": "{% from 'a' import b %}{{ text }}",
    "a parent": "{% extends 'a' %}{{ text }}",
    "a block that calls itself": "{% block a %}{{ self.a() }}{{ self.a() }}{% endblock %}{{ text }}",
    "a call block": "{% call text() %}{% endcall %}",
    "a filter block": "{% filter center(10**9) %}{{ text }}{% endfilter %}",
    "a wide filter": "{{ text|center(10**9) }}",
    "a wide method": "{{ text.center(10**9) }}",
    "ljust": "{{ text.ljust(10**9) }}",
    "zfill": "{{ text.zfill(10**9) }}",
    "expandtabs": "{{ ('\t'*1000).expandtabs(10**7) }}{{ text }}",
    "a wide indent": "{{ (('\n'~text)*10000)|indent(10**6) }}",
    "an indent by a long text": "{{ ((text~'\n')*10000)|indent('x'*10000) }}",
    "a wide batch": "{{ [text]|batch(10**9,'x')|list }}",
    "many slices": "{{ [text]|slice(10**9)|list }}",
    "many digits": "{{ 1|round(10**9,'ceil') }}{{ text }}",
    "a wide format": "{{ '%1000000000d'|format(1) }}{{ text }}",
    "a format of a wanted width": "{{ '%*d'|format(10**9,1) }}{{ text }}",
    "a wide %": "{{ '%1000000000d' % 1 }}{{ text }}",
    "a wide % of a named value": "{{ '%(a)900000000d' % {'a': 1} }}{{ text }}",
    "many digits of a named value": "{{ '%(a).900000000f'|format(a=1.0) }}{{ text }}",
    "a wide % of a value whose name has parentheses": "{{ '%(a(b))900000000d' % {'a(b)': 1} }}{{ text }}",
    "lists summed one by one": "{{ ([[1]]*90000)|sum(start=[])|length }}{{ text }}",
    "searches of a list in a loop": "{% set l = range(99999)|list %}{% for i in l %}{{ l.count(-1) }}{% endfor %}"
    + "{{ text }}",
    "a % that repeats": "{{ ('%(a)s'*99999) % {'a': text*9999} }}",
    "str.format": "{{ '{:1000000000}'.format(1) }}{{ text }}",
    "str.format_map": "{{ '{a:1000000000}'.format_map({'a':1}) }}{{ text }}",
    "a long text in the place of nothing": "{{ ('a'*100000)|replace('', 'b'*100000) }}{{ text }}",
    "a long text for every letter": "{{ ('a'*100000).replace('a', 'b'*100000) }}{{ text }}",
    "letters joined by a long text": "{{ ('x'*100000).join('y'*100000) }}{{ text }}",
    "letters joined by a long text, as a filter": "{{ ('y'*100000)|join('x'*100000) }}{{ text }}",
    "a wide JSON": "{{ ([[[[text]]]]*1000)|tojson(10**8) }}",
    "a class": "{{ text.__class__ }}",
    "all classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}{{ text }}",
    "a class by a filter": "{{ text|attr('__class__') }}",
    "a class by map": "{{ [text]|map(attribute='__class__')|list }}",
    "an address": "{{ text.upper }}",
    "an address in a text": "{{ text.upper ~ '' }}",
    "an address in a list": "{{ [text.upper] }}",
    "an address in a %": "{{ '%s' % text.upper }}",
    "an address by a filter": "{{ text.upper|string }}",
    "a function": "{{ range }}{{ text }}",
    "a changed mapping": "{{ {'a':1}.update({'b':2}) }}{{ text }}",
    "parentheses in parentheses": "{{ " + "(" * 5000 + "text" + ")" * 5000 + " }}",
    "lists in lists": "{{ " + "[" * 500 + "text" + "]" * 500 + " }}",
    "not not not": "{{ " + "not " * 3000 + "text }}",
    "a long sum": "{{ text" + "+text" * 3000 + " }}",
    "loops in loops": "{% for i in [1] %}" * 60 + "{{ text }}" + "{% endfor %}" * 60,
    "conditions in conditions": "{% if text %}" * 300 + "x" + "{% endif %}" * 300,
    "a long elif": "{% if text=='a' %}" + "{% elif text=='b' %}" * 3000 + "{% endif %}",
    "a long template": "x" * 200_000 + "{{ text }}",
    "many signs": "{{ " + "-" * 5000 + "1 }}{{ text }}",
    "a long chain": "{{ text" + "|upper" * 3000 + " }}",
    "copies in a loop": "{% for i in range(99999) %}{{ (text*100000)[1:]|length }}{% endfor %}",
    "comparisons in a loop": "{% set a=text*99999 %}{% set b=text*99999 %}"
    + "{% for i in range(99999) %}{{ a==b }}{% endfor %}",
    "searches in a loop": "{% set a='a'*100000 %}{% for i in range(99999) %}{{ text in a }}{% endfor %}",
    "a huge text cut": "{{ (text*9**9)[:5] }}",
    "a table of characters": "{{ text.translate({115: text * 10**9}) }}",
    "a wide format by map": "{{ ['%1000000000d']|map('format', 1)|list }}{{ text }}",
    "a wide filter by map": "{{ options|map('center', 10**9)|list }}{{ text }}",
    "a pattern by map": "{{ ['a'*60~'!']|map('sub', '(a|aa)+$', '')|list }}{{ text }}",
    "lists summed to one": "{{ ([[text]*1000]*9999)|sum(start=[])|length }}",
    "many groups": "{{ range(99999)|groupby('real')|list|length }}{{ text }}",
    "a long chain of attributes": "{{ text" + ".a" * 5000 + " }}",
    "a long number in another base": "{{ ('f'*100000)|int(base=16) }}{{ text }}",
    "the smallest of much, again and again": "{% for i in range(99) %}{{ (text*99999)|min }}{% endfor %}",
    "links": "{{ ('http://'*100000)|urlize }}{{ text }}",
    "a long word wrapped": "{{ ('a'*1000000)|wordwrap(1) }}{{ text }}",
    "many tags": "{{ ('<a>'*1000000)|striptags }}{{ text }}",
    "lengths in a loop": "{% for i in range(99999) %}{{ loop.length }}"
    + "{% for j in range(99999) %}{{ loop.last }}{% endfor %}{% endfor %}{{ text }}",
    "tests in a loop": "{% for i in range(99999) %}{{ ('a'*99999) is upper }}{% endfor %}{{ text }}",
    "a set block": "{% set x %}{{ text*1000 }}{% endset %}{{ x }}",
    "an autoescape block": "{% autoescape true %}{{ text }}{% endautoescape %}",
    "a do": "{% do text.upper() %}",
    "a large number squared": "{{ ('9'*4000)|int ** 2 }}{{ text }}",
    "pprint": "{{ options|pprint }}",
    "the template itself": "{{ self }}{{ text }}",
    "the loop itself": "{% for i in options %}{{ loop }}{% endfor %}{{ text }}",
    "an unknown function": "{{ nothing() }}{{ text }}",
    "debug": "{% debug %}{{ text }}",
    "trans": "{% trans %}a{% endtrans %}{{ text }}",
}
# what a trial on text does not show
LATE = {
    "fewer characters than none": "{{ text|truncate(-5) }}",
    "a changed list": "{{ options.append('x') }}{{ text }}",
    "a shortened list": "{{ options.pop() }}{{ text }}",
    "an unknown group": "{{ text|sub('a*', '\\\\9') }}",
    "loops for some items alone": "{% if text != 'text' %}{% for i in range(9999) %}{% for j in range(9999) %}x"
    "{% endfor %}{% endfor %}{% endif %}{{ text }}",
    "a pattern for some items alone": "{{ (text ~ 'a' * 60 ~ '!')|sub('words.*here(a|aa)+$', '') }}",
    "what is missing in a list": "{{ [options.nothing] }}{{ text }}",
}
FINE = {
    "{{ text|upper }} {{ options|map('upper')|list }}": "SOME WORDS HERE ['ONE', 'TWO']",
    "{{ options|map('upper') }}{{ text[:0] }}": "['ONE', 'TWO']",
    "{% for o in options %}{{ loop.index }}. {{ o }}{% if not loop.last %}; {% endif %}{% endfor %}": "1. one; 2. two",
    "{% for i in range(3) %}{{ i }}{% endfor %}{{ text.split()[0] }}": "012some",
    "{{ text|sub('(w)ord', '\\\\1ork') }}": "some works here",
    "{{ text.replace('some', 'no') ~ '!' * 3 }}": "no words here!!!",
    "{{ '%5.2f' % 1.5 }}{{ text|truncate(9) }}": " 1.50some...",
    "{% set first, second = options %}{{ second }}{{ text|length }}": "two15",
    "{{ dict(a=text).get('a') }}": "some words here",
    "{{ text|indent(2, first=true) }}|{{ text.title() }}": "  some words here|Some Words Here",
    "{% with a = text %}{{ a }}{% endwith %}{{ 2 ** 10 }}": "some words here1024",
    "{{ text|default('x') if 'one' in options else '-' }}": "some words here",
    "{{ options|join('; ') }} ({{ options|length }})": "one; two (2)",
    "{{ '%(a)03d %(b)s' % {'a': 7, 'b': text} }}": "007 some words here",
    "{{ [[1, 2], [3]]|sum(start=[]) }}{{ [1.5, 2]|sum }}{{ text[:0] }}": "[1, 2, 3]3.5",
    "{{ options.index('two') }}{{ {'a': text}.get('a') }}": "1some words here",
    "{{ {'a': options}|tojson }}{{ text[:0] }}": '{"a": ["one", "two"]}',
}


@pytest.fixture(autouse=True)
def bounded_time():
    """Fail what takes long."""
    began = time.process_time()
    yield
    assert time.process_time() - began < MOST_SECONDS


def one_error(error):
    said = str(error.value)
    assert said.count("\nhint: ") == 1
    return said


@pytest.mark.parametrize("name", ATTACKS)
def test_a_template_without_bounds_is_refused_by_the_plan(name):
    with pytest.raises(UserError, match=r"^formats\.default: ") as error:
        check_template("formats.default", ATTACKS[name], KNOWN)
    one_error(error)


@pytest.mark.parametrize("name", [name for name in ATTACKS if not name.startswith(("a long", "an unknown f"))])
def test_it_is_refused_by_a_job_too(name):
    with pytest.raises(UserError) as error:
        render(ATTACKS[name], VALUES)
    one_error(error)


@pytest.mark.parametrize("name", LATE)
def test_what_a_trial_does_not_show_is_refused_by_the_job(name):
    check_template("formats.default", LATE[name], KNOWN)
    values = {"text": "some words here", "options": ["one", "two"]}
    with pytest.raises(UserError) as error:
        render(LATE[name], values)
    one_error(error)
    assert values == VALUES


@pytest.mark.parametrize("template", FINE)
def test_what_people_write_is_made_as_before(template):
    check_template("formats.default", template, KNOWN)
    assert [render(template, VALUES) for _ in range(2)] == [FINE[template]] * 2


def test_other_texts_are_never_escaped_next_to_one_that_a_filter_has_made():
    values = {"text": "it's <b>é & co</b>", "options": ["a<b", "c'd"]}
    for template, made in {
        "{{ text|tojson }}": '"it\'s <b>é & co</b>"',
        "{{ text|tojson + options[0] }}": '"it\'s <b>é & co</b>"a<b',
        "{{ text|safe + options[0] }}": "it's <b>é & co</b>a<b",
        "{{ '%s'|safe|format(options[1]) }}": "c'd",
        "{{ (options[0]|e) + options[0] }}": "a&lt;ba<b",
        "{{ options|map('safe')|join(text|safe) }}": "a<bit's <b>é & co</b>c'd",
        "{{ {'b': 1, 'a': options[1]}|tojson }}": '{"a": "c\'d", "b": 1}',
    }.items():
        check_template("formats.default", template + "{{ text[:0] }}", KNOWN)
        assert render(template, values) == made


@pytest.mark.parametrize("inner", ["text * 10**9", "range(99999)|map('string')|list * 999", "[text]|random"])
def test_an_expression_is_bounded_like_a_template(inner):
    with pytest.raises(UserError):
        check_value("fields.text", "{{ " + inner + " }}")
    with pytest.raises(UserError):
        evaluate(inner, VALUES)


def test_one_costly_text_does_not_take_from_the_next():
    text = "word " * 200_000
    assert [len(render("{{ text|upper|lower|title }}", {"text": text})) for _ in range(20)] == [len(text)] * 20


def test_a_long_conversation_is_no_attack():
    turns = [{"role": "user", "content": "word " * 500}] * 400
    made = render(
        "{% for turn in turns %}{{ turn.role|capitalize }}: {{ turn.content }}\n{% endfor %}", {"turns": turns}
    )
    assert made.count("User: word") == 400


@pytest.mark.parametrize(
    "template", ["Hello", "Say: {text} It is", "{{ 'text' }}", "{% set text = 'a' %}{{ text }}", " "]
)
def test_a_template_that_uses_no_field_is_refused(template):
    with pytest.raises(UserError, match=r"\nhint: two pairs of braces: \{\{ text \}\}$"):
        check_template("formats.default", template, KNOWN)


def test_a_field_in_single_braces_is_refused_next_to_another():
    with pytest.raises(UserError, match=r"^x: \{options\} is text, not the field\nhint: "):
        check_template("x", "{{ text }} {options}", KNOWN)
    check_template("x", 'As JSON: {"text": "{{ text }}"} {}', KNOWN)


@pytest.mark.parametrize("sign", ["\\n", "\\nIt is", "a\\t b", "\\r\\n", "\\u00e9", "\\x20"])
def test_a_backslash_and_a_letter_for_a_line_end_is_refused(sign):
    with pytest.raises(UserError, match=r"is read as \d characters.*\nhint: YAML reads escapes only in double quotes"):
        check_template("x", "{{ text }}" + sign, KNOWN)


@pytest.mark.parametrize(
    "text", ["{{ options|join('\\n') }}", "$\\times \\rho$ {{ text }}", "{{ text|sub('\\\\n', ' ') }}", "C:/{{ text }}"]
)
def test_a_line_end_in_an_expression_and_tex_are_left_alone(text):
    check_template("x", text, KNOWN)


@pytest.mark.parametrize("pattern", ["(?V1)(a)", "(?V1)(?i)(?:\u017f|K)", "(?V0)(?V1)(a)"])
def test_flags_of_a_pattern_that_exclude_each_other_are_refused(pattern):
    with pytest.raises(UserError, match=r"^x: the pattern .* does not parse: .*\nhint: "):
        check_group("x", pattern)


@pytest.mark.parametrize("pattern", ["(a|aa)+$", "(a|a?)+b$", "^(a|aa|aaa)*$"])
def test_a_pattern_that_takes_too_long_ends(pattern):
    text = "a" * 200 + "!"
    try:
        assert search(pattern, text) is None
    except PatternError as error:
        assert "takes more than 2 s on a text of 201 characters" in str(error)  # noqa: PT017 (either is right)
    began = time.process_time()
    with pytest.raises(UserError, match=r"takes more than 2 s .*\nhint: fix `extract`"):
        extracted("a" * 60 + "!", "((a|aa)+)$")
    assert time.process_time() - began < MOST_SECONDS / 2


@pytest.mark.parametrize("pattern", ["(" * 3000, "(" * 900 + ")" * 900, "a{2,1}", "[", "(?P<a>x)(?P<a>", "\\"])
def test_a_pattern_that_does_not_parse_is_an_error_and_no_fault(pattern):
    with pytest.raises(PatternError):
        search(pattern, "text")
