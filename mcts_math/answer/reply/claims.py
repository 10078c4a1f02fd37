"""What a sentence states: one value, those that it sets in bold, or an outcome in words."""

from __future__ import annotations

import itertools
import re
from typing import Final

from mcts_math.answer.reply.amounts import AMOUNT, ONE, SEVERAL, VALUE, right_side, with_unit
from mcts_math.answer.text.vocabulary import NUMBER_WORDS

ASIDE: Final = re.compile(
    r"(?<=[.!$])\s+\([^()]{1,300}\)\Z|\s\((?:[\d.]+\\?%|[^()]{0,80}(?<![\\a-z])[a-z]{2,}[^()]{0,80})\)(?=\W{0,3}\Z)"
)
_REASON: Final = re.compile(
    r",? (?:(?:because|since)(?!.*, (?:\$?[a-z]\$? ?=|which gives|(?:the|he|she|it|we|there|you)(?:'\w{1,2})? .*\d))"
    r"|of which|which (?:occurs|is (?:attained|achieved))) .*\Z"
    r"|, (?:attained|achieved) (?:at|when|for|by) .*\Z|, (?:as(?! follows)|given that|after|although|while) [^,]*\Z"
    r"|,? with \$?\d+ [a-z ]*\b(?:left|remaining|over)\b[^,]*\Z|(?:,? and|,) not (?:by )?(?=[$\d-]|[a-z] ?=)[^,]*\Z"
    r"|,? (?:or|which is|that is,?) (?:approximately|about|roughly) .*\Z"
    r"|,? for (?:every|all|any) (?:(?:positive|real) )*(?:integers? |numbers? )?(?:[a-z]|\$[^$]{1,40}\$)?\Z",
    re.DOTALL,
)
_BOLD: Final = re.compile(r"\*\*(?=\S)((?=[^*\n]*(?:\d|[$\\]))[^*\n]{1,120}|\(?[A-Z]\)?|[A-Z][a-z]+day)(?<=\S)\*\*")
_BESIDE: Final = re.compile(r"[,;(]| (?:since|because|out of|for|when|if|as|to)\b")
_JOINT: Final = re.compile(r"(?:,|, and|, or| and| or|、|和|) ?")
CONCLUDES: Final = (
    r"(?:(?:therefore|thus|so|hence|then|consequently|in conclusion|finally|overall|altogether|in total)\b"
    r"|it follows that\b|this (?:gives|means)\b|we (?:get|find|obtain|have|conclude)\b"
    r"|(?:donc|also|somit|por (?:lo )?tanto|portanto|quindi|dus)\b|因此|所以|故|综上)"
)
_START: Final = re.compile(rf"\W{{0,4}}(?:{CONCLUDES}[,:，]{{0,2}}\s*(?:that )?){{1,2}}", re.IGNORECASE)
_SETS_OUT: Final = re.compile(
    r"\W*(?:let|given|suppose|hint|consider|assume|next|recall|where|(?:i|we)(?:'ll| will)|step \d+)\b(?! by)", re.I
)
_CLAUSE: Final = re.compile(
    r"(?:,| and)? (?:so(?! far\b)|therefore|hence|thus|then(?! (?:compute|find|calculate|solve|use)))\b[,:]? "
    r"|, meaning (?:that )?(?=.*\d)|, which (?:means (?:that )?(?=.*\d)|(?=(?:leaves|gives|makes|yields) ))"
    r"|(?<!\\); (?!if\b|otherwise\b)|，(?:所以|因此|故|则)"
)
_STATES: Final = re.compile(r"(?:the|its|our)\b|[\w ]{1,40} gives\b", re.IGNORECASE)
UNSETTLED: Final = re.compile(  # no claim, or one on a condition
    r"\b(?:let|consider|suppose|assum\w+|(?:we|i|you) (?:still )?(?:need|have to)(?! [\d$])|want|must|if|maybe|perhaps"
    r"|try|(?:next|first) (?:we|i|step|find|need)|not|never|cannot|can't|isn't|don't|cases?|steps?|known?"
    r"|(?<!the )given(?! by)|where|when|unless|except|least|most|than(?= \W?\d)|(?:more|less) than (?:twice|half"
    r"|\w+ times|the other)"
    r"|(?<=\w )between(?= \W?\d)|in another|by contrast|remainder when|using|formula|example|otherwise"
    r"|(?:is|are) (?:true|false)|naive|guess|we (?:start|begin)|(?:i|we)(?:'ll| will)|suffices|remains? to"
    r"|inducti\w+ hypothesis)\b|\?|设|\A(?:plug|use|write|apply|integrate|substitute|please|call|see)\b",
    re.IGNORECASE,
)
_UNREAL: Final = re.compile(
    r"\b(?:[Cc]ould(?:n't)?|unable|[Mm]ight|may|contradiction|impossible"
    r"|would(?:n't| not| (?:be (?:too|wrong)|think|expect|guess)))\b(?! be left)"
    r"|\A(?:we )?(?:add|subtract|multiply|divide|compute|solve|take)\b(?!.*(?:=|\b(?:get|gives?|obtain|is|yields?)\b))"
)
_LIMITED: Final = re.compile(
    rf"(?<!\d){VALUE},? (?:when|where|at(?! the end of)|if|attained)\b|\bto (?:consider|examine)\Z"
    rf"|(?<!,)(?<!but) (?:not|cannot|can't|isn't)(?: (?:be|equal(?: to)?))?(?: (?:more|less|greater) than)? {VALUE}\Z"
)
_SUBJECT: Final = re.compile(
    rf"(?=(?<![\d^])()|){VALUE}(?:(?(1) (?:is|are|was|has|have|divides?|holds?|must|would|can(?:not|'t)?|does(?:n't)?"
    r"|lies?)\b(?! the (?:only|number|value|smallest|largest|answer))|(?!))"
    r"| (?:methods|unknowns|variables|equations|conditions)\b)"
)
_OPENING: Final = re.compile(rf"(?:[Aa]s of|[Ii]n|[Aa]fter|[Ff]or|[Tt]he|[Tt]hese) {VALUE}(?: \S+){{3}}")
_ADVERBS: Final = r"(?: that| worth| approximately| about| roughly| exactly| only)*"
_ENDS: Final = re.compile(
    r"(?:\A(?![^ ]{1,300} (?!and |or )[a-z])"
    r"|\b(?:(?:is|are|be|was|were|(?<=they)'re|(?<=it)'s)(?: at| given by| equal to)?|leaving(?: \w{2,5})?(?: with)?"
    r"|equals|get|gives?|yield|find|prints?|outputs?|returns?|obtain|es|est|ist"
    r"|(?:tend|diverge|converge|round|reduce|come|work|amount|add|evaluate|simplif[yi]e?)s?(?: out| up)? to(?: be)?"
    rf"|(?:there|arrives?|ends?) at)\b:?{_ADVERBS}|(?<![<>!])[=≈]|是|为|等于) ?({SEVERAL})"
    r"(?: [A-Za-z/][A-Za-z/²³]{0,19}){0,4}\Z"
)
_COMPUTED: Final = re.compile(  # 240/60 = 4 hours
    rf"[=≈] ?({AMOUNT})(?![A-Za-z0-9_=]|\.\d)(?: [a-z]{{1,3}}(?:/[a-z]{{1,4}}|[²³]))?"
    r"(?:[ -](?:[A-Za-z'’]{1,20}|\d{1,3}(?= [a-z]))){0,12}[.!]?\Z"
)
_CHECKED: Final = re.compile(
    r"(?:, because|\b(?:verify|check))\b.*\d\.\Z|\b(?:I|we)(?: will|'ll) (?:first|now|then|start)\b", re.IGNORECASE
)
_OPERATION: Final = re.compile(r"\d[^=\n]{0,60}?(?:[-+*/×·÷–−]|x(?!\()) ?[($]{0,2}\.?\d[^=\n]*\Z")
_OUTCOME: Final = re.compile(  # in words
    r"\b(?:((?:does|do) not exist)|(?:has|have|there (?:is|are)) (no (?:real |such )?(?:solutions?|roots?))"
    r"|(?:has|have|there are) (infinitely many(?: solutions)?)|(?:statement|claim) is (true|false)(?=\Z|[:;,])[^\n]*"
    r"|(?:function|number|it) is (even|odd|prime|irrational|rational|[Tt]rue|[Ff]alse))\Z"
    r"|\A([Yy]es|[Nn]o), (?=\S+ \S)(?!(?:[Ii]|wait|let|that|this is not|because)\b)"
    r"|\b((?:converges|diverges)(?: absolutely| conditionally)?|does not converge)\Z"
    r"|\bis (all (?:real )?numbers|the empty set)\Z|\A(?!.*\bwhich\b).*\bis (undefined)\Z"
    r"|\b((?:fail to |do not )?reject (?:the null hypothesis|H_?0))\Z"
    r"|\b(?:is|be|falls?)(?: on)?(?: an?)? ((?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)\Z"
)
_IF: Final = re.compile(r"\A\W{0,3}if\b|\bwhether\b", re.IGNORECASE)
_NUMBER: Final = "|".join(NUMBER_WORDS)
_SPELLED: Final = re.compile(
    r"(?:\b(?:is|are|has|have|receives?|gets?|needs?|makes?|takes?|costs?) (?:exactly |only )?|\A)"
    rf"((?:{_NUMBER})(?:[ -](?:{_NUMBER}))?)(?: (?!(?:of|and|or|to|out|dozen|half|thirds?|quarters?|hundred|thousand"
    rf"|million|[a-z]+ths?|unknowns|equations|parts to)\b)[a-z](?:(?! and (?:{_NUMBER})\b)[^$\d])*)?\Z",
    re.IGNORECASE,
)
_INTRO: Final = re.compile(
    r"\A(?:by|with|from|after|because|since|as|out of|[a-z]{2,12}ing|if we (?:add|subtract|divide|round))"
    r" (?!the induct)[^,]{1,100}, (?=(?:the|it|they|he|she|each|we|this|there|its|our)\b|P\()",
    re.IGNORECASE,
)
_MAIN: Final = re.compile(
    r", (?:the|it|he|she|they|we|there|each|his|her|their|our|its|[A-Z][a-z]+(?= [a-z]))\b[^,]*\Z"
)
_DURING: Final = re.compile(  # when, for how many or to what end it holds, which is no answer beside another value
    r",? ?\b(?:[Aa]fter|(?:at|by) the end of|[Ii]n|[Dd]uring|[Oo]ver|[Ff]or|each|per)(?: [a-z]{1,9}){0,2}"
    r" \d{1,4}[ -](?:second|minute|hour|day|week|month|year)s?\b"
    r"|,? for \$?\d{1,4}\b(?![.,]\d)| \d{1,4} years (?:from now|ago)\b"
    r"|(?<=[a-z]) to (?!(?:be|the|an?)\b|(?:make|get|reach) \W?[\d.,]+\Z)[a-z]{2,12} [^,=]*\Z"
)
_COUNTED: Final = re.compile(  # of what a list follows
    r"\b(?:there (?:is|are)|has|have) (?:exactly |only )?\$?(\d{1,9})\$? [a-z][^:,]{2,80}"
    r"(?::|, namely)\s.*\Z",
    re.IGNORECASE | re.DOTALL,
)
_FORMULAS: Final = re.compile(
    r"(?<!\$)(\$[^$\n=]{1,200}=[^$\n]{1,300}\$(?:(?:, and|,| and) \$[^$\n=]{1,200}=[^$\n]{1,300}\$){0,9})"
    r"(?: [a-z]{1,20}){0,4}\Z"
)
_LEFT_TERM: Final = re.compile(
    r"[a-z²³] ?[-+−] \Z|\w\(\Z|\b(?:(?:at|on)(?: the)?|half|twice|(?i:theorem|equation|part|case|step|figure)) \(?\Z"
)  # 2xy − 3x², n(n−3)/2: only a part is read as a value; nor is what numbers a part of the text one
_RIGHT_TERM: Final = re.compile(r" (?:[-+−] \d{0,9}[a-z]|raised to\b)")
_LETTER: Final = re.compile(r"\$?(?:\\[a-z]{2,9}|[A-Za-z]|\([a-z, ]{3,9}\))(?:_\{?\w{1,5}\}?)?(?:\([A-Za-z]\))? ?=")
_INDEX: Final = re.compile(r"_(?:\{[^{}]{0,30}\}|\w)")
_NO_SENTENCE: Final = re.compile(  # cut where a formula begins, or within a clause; an item of a list
    r"[a-z,:] \$\Z|\b(?:us|the|an?|is|are|of|to|and|by)\Z|[-+×/=(:]\Z|\A\W{0,3}[-*•] [^.]*\Z|\A[a-z] = \S+\Z"
)


def stated(sentence: str) -> str | None:
    """What a sentence comes to: the one number or formula that it states; None without such."""
    sentence = ASIDE.sub("", sentence)
    complete = _NO_SENTENCE.search(sentence) is None
    sentence = sentence.replace("**", "")
    if complete and (worked := _worked_out(sentence)) is not None:
        return worked
    start = _START.match(sentence)
    if not complete:
        return None
    said = _INTRO.sub("", sentence[start.end() if start is not None else 0 :].rstrip(".!。 "))
    if (counted := _COUNTED.search(said)) is not None and UNSETTLED.search(counted[0]) is None:
        return counted[1]
    *reasons, claim = _CLAUSE.split(_REASON.sub("", said))
    outcome = _OUTCOME.search(claim)
    if outcome is not None and UNSETTLED.search(claim[: outcome.start()]) is None and _IF.search(said) is None:
        return "".join(outcome.groups(""))
    if _LIMITED.search(claim) is not None or _UNREAL.search(claim) is not None:
        return None
    if start is None and not reasons and _SETS_OUT.match(said) is not None:
        return None
    plain = bool(reasons) or start is not None or UNSETTLED.search(claim) is None
    return _claimed(claim, sentence, plain) or None


def _worked_out(sentence: str) -> str | None:
    """The result of a calculation with numbers that stands at the end of a sentence."""
    computed = _COMPUTED.search(sentence)
    if computed is None or _CHECKED.search(sentence) is not None:
        return None
    operation = _OPERATION.search(sentence[max(computed.start() - 120, 0) : computed.start()])
    return None if operation is None else with_unit(computed[1].strip("$"), sentence, computed.end(1))


def _claimed(claim: str, sentence: str, plain: bool) -> str | None:
    """The value in the main clause of a sentence; "" where what is there is only a part of one.

    Args:
        claim: the main clause.
        sentence: all of it, which says how its values are written.
        plain: the clause is settled: it stands behind a reason or a word such as "so", or holds no word of doubt.
    """
    ended = _ENDS.search(claim) if plain or _STATES.match(claim) is not None else None
    if ended is not None:
        return with_unit(_several(ended[1], sentence), claim, ended.end(1))
    if plain and ONE.search(claim) is None and (spelled := _SPELLED.search(claim)) is not None:
        return spelled[1]
    if (formula := _FORMULAS.search(claim)) is not None:  # whatever its sentence says before the last comma
        clause = claim[: formula.start()].rsplit(", ", 1)[-1]
        return _several(formula[1], sentence) if plain or UNSETTLED.search(clause) is None else ""
    return _lone_value(claim, sentence) if plain else None


def _lone_value(claim: str, sentence: str) -> str | None:
    """The only value of a clause, or of its last part; as `_claimed`."""
    main = _MAIN.search(claim)
    if main is not None and ONE.search(main[0]) is not None:
        claim = main[0]
    if ONE.search(rest := _DURING.sub("", claim)) is not None:
        claim = rest
    is_beside = _OPENING.match(claim) is not None or _SUBJECT.search(claim) is not None
    found = [] if is_beside else list(ONE.finditer(claim))
    if len(found) != 1 or re.search(r"[\d½-⅞]", _INDEX.sub("", found[0][0])) is None:
        return None
    first, last = found[0].span()
    before = claim[max(first - 20, 0) : first]
    term = _LEFT_TERM.search(before) or _RIGHT_TERM.match(claim, last)
    return with_unit(right_side(found[0][0], sentence), claim, last) if term is None else ""


def _several(said: str, sentence: str) -> str:
    """Values in a row: all of them where all are equations for letters, or none is an equation; else the last."""
    values = ONE.findall(said)
    labelled = [_LETTER.match(value) is not None for value in values]
    if labelled[0] and values[0].startswith("$(") and not any("=" in value for value in values[1:]):
        labelled = [True] * len(values)  # $(x,y)=(1,2)$ and $(2,1)$
    unnamed = [value for value, label in zip(values, labelled, strict=True) if "=" in value and not label]
    if unnamed or (
        any("=" in value for value in values) and not all(labelled) and (" or " not in said or ", or " in said)
    ):
        values = values[-1:]
    return (" or " if " or " in said else ", ").join(right_side(value, sentence) for value in values)


def bold_values(sentence: str) -> str | None:
    """The values that a sentence sets in bold, where it has no other beside them."""
    bold = list(_BOLD.finditer(sentence))
    if not bold or sentence.endswith("?") or UNSETTLED.search(sentence[: bold[0].start()]) is not None:
        return None
    gaps = [sentence[one.end() : other.start()] for one, other in itertools.pairwise(bold)]
    after = _DURING.sub("", _BESIDE.split(sentence[bold[-1].end() :], maxsplit=1)[0])
    if not all(map(_JOINT.fullmatch, gaps)) or ONE.search(after) is not None:
        return None
    said = [(stated(f"{run[1]}.") if len(run[1].split()) > 5 else None) or right_side(run[1], sentence) for run in bold]
    return ", ".join(said)
