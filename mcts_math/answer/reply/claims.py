"""What a sentence states: one value, those that it sets in bold, or an outcome in words."""

from __future__ import annotations

import itertools
import re
from typing import Final

from mcts_math.answer.reply.amounts import AMOUNT, ONE, SEVERAL, VALUE, right_side, with_unit
from mcts_math.answer.text.units import MEASURED
from mcts_math.answer.text.vocabulary import NUMBER_WORDS

ASIDE: Final = re.compile(
    r"(?<=[.!$])\s+\([^()]{1,300}\)\Z|\s\((?:[\d.]+\\?%|[^()]{0,80}(?<![\\a-z])[a-z]{2,}[^()]{0,80})\)(?=\W{0,3}\Z)"
)
_REASON: Final = re.compile(
    r",? (?:(?:because|since)(?!.*, (?:\$?[a-z]\$? ?=|which (?:leaves|gives)|(?:the|they|he|she|it|we|there"
    r"|you)(?:'\w{1,2})? .*\d))|of which|which (?:occurs|happens|is (?:attained|achieved|obtained))) .*\Z"
    r"|, (?:attained|achieved|reached|occurring) (?:at|when|for|by) .*\Z|, (?:as(?! follows)|given that|after"
    r"|no matter|regardless of|even though|although|while) [^,]*\Z|, with [^=]*\\ne.*\Z"
    r"|,? with (?:a )?(?:remainder (?:of )?\$?0\$?|\$?\d+ [a-z ]*\b(?:left|remaining|over|to spare)\b[^,]*)\Z"
    r"|(?:,? and|,) not (?:by )?(?=[$\d-]|[a-z] ?=)[^,]*\Z|,? (?:or|which is|that is,?) (?:approximately|about"
    r"|roughly) .*\Z"
    r"|, with (?:cent(?:er|re)|radius|dimensions)\b(?!.*, so\b).*\Z| with \d+ degrees of freedom\Z"
    r"|, who (?:is|was|has|had|are) .*\Z"
    r"|,? for (?:every|all|any|each) (?:(?:positive|natural|non-?negative|real|odd|even|integer) )*(?:integers?"
    r"|numbers?|[a-z]|\$[^$]{1,40}\$)(?: [a-z]| \$[^$]{1,40}\$)?\Z| as \$?[a-z] ?(?:\\to|\\rightarrow|→)[^,]{1,40}\Z"
    r"|, which (?:is|are) (?:less|more|greater|smaller|larger|fewer) than .*\Z",
    re.DOTALL,
)
_WEEKDAY: Final = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_BOLD: Final = re.compile(
    rf"\*\*(?=\S)((?=[^*\n]*(?:\d|[$\\]))[^*\n]{{1,120}}|\(?[A-Z]\)?|(?<=\b(?:be|is|on) \*\*){_WEEKDAY})(?<=\S)\*\*"
)
_BESIDE: Final = re.compile(r"[,;(]| (?:since|because|out of|for|when|if|as|to)\b")
_JOINT: Final = re.compile(r"(?:,|, and|, or| and| or|、|和|) ?")
CONCLUDES: Final = (
    r"(?:(?:therefore|thus|so|hence|then|consequently|in conclusion|finally|overall|altogether|in total)\b"
    r"|it follows that\b|(?:decision|conclusion|verdict|solutions?|roots|final|tl;dr|results?)(?=:)"
    r"|this (?:gives|means)\b|we (?:get|find|obtain|have|conclude)\b"
    r"|(?:donc|also|somit|por (?:lo )?tanto|portanto|quindi|dus)\b|因此|所以|故|综上)"
)
_START: Final = re.compile(rf"\W{{0,4}}(?:{CONCLUDES}[,:，]{{0,2}}\s*(?:that )?){{1,2}}", re.IGNORECASE)
_SETS_OUT: Final = re.compile(
    r"\W*(?:let|given|suppose|hint|plan|consider|assume|next|recall|where|(?:i|we)(?:'ll| will)"
    r"|step \d+)\b(?! by)",
    re.I,
)
_CLAUSE: Final = re.compile(
    r"(?:,| and)? (?:so(?! far\b)|therefore|hence|thus|consequently|then(?! (?:compute|find|calculate|evaluate|solve"
    r"|use)))\b[,:]? |, meaning (?:that )?(?=.*\d)|, which (?:means (?:that )?(?=.*\d)|(?=(?:leaves|gives|makes"
    r"|yields) ))|(?<!\\); (?!if\b|otherwise\b)|，(?:所以|因此|故|则)"
)
_STATES: Final = re.compile(r"(?:the|its|our|adding|dividing|multiplying)\b|[\w ]{1,40} gives\b", re.IGNORECASE)
UNSETTLED: Final = re.compile(  # no claim, or one on a condition
    r"\b(?:let|consider|suppose|assum\w+|(?<!all )(?:we|i|you) (?:still )?(?:need|have to)(?! [\d$])"
    r"|(?:we|i|you) need to|want|must|if|maybe|perhaps|try|(?:next|first) (?:we|i|step|find|need)|not|never|cannot"
    r"|can't|isn't|don't|cases?|steps?|known?|knew|(?<!the )given(?! by)|where|when|unless|except|least|most"
    r"|(?:more|less|fewer|greater|smaller|larger) than(?= \W?\d)|(?<=\w )between(?= \W?\d)"
    r"|(?:by|in) (?:comparison|contrast)|attained|remainder when|using|formula|example|otherwise"
    r"|(?:is|are) (?:true|false)|naive|guess|we (?:start|begin)|another (?:reading|sense|interpretation)|in another)\b"
    r"|\?|\b(?:i|we)(?:'ll| will)\b|\bsuffices\b|\bremains? to\b|\binducti\w+ hypothesis\b"
    r"|\b(?:more|less) than (?:twice|half|double|triple|\w+ times|the (?:other|first|second|previous))\b|设"
    r"|\A(?:plug|use|write|apply|integrate|substitute|please|call|contact|see|one of the)\b",
    re.IGNORECASE,
)
_UNREAL: Final = re.compile(
    r"\b(?:[Cc]ould|[Cc]ouldn't|unable|[Mm]ight|may|contradiction|impossible|would(?:n't| not| (?:be (?:too|wrong)"
    r"|think|expect|guess|need to|start)))\b(?! be left)"
    r"|\A(?:we )?(?:add|subtract|multiply|divide|plug|substitute|compute|solve|take|square)\b"
    r"(?!.*(?:=|\b(?:get|gives?|giving|obtain|is|yields?)\b))"
)
_LIMITED: Final = re.compile(
    rf"(?<!\d){VALUE},? (?:when|where|at(?! the end of)|if|attained)\b"
    r"|\A(?:for|when|at) \$[^$]*\$\Z|\bto (?:consider|examine|distinguish|look at)\Z"
    rf"|(?<!,)(?<!but) (?:not|cannot|can't|isn't)(?: (?:be|exceed|equal(?: to)?))?"
    rf"(?: (?:more|less|fewer|greater|smaller|larger) than)? {VALUE}\Z"
)
_SUBJECT: Final = re.compile(
    rf"(?=(?<![\d^])()|){VALUE}(?:(?(1) (?:is|are|was|has|have|divides?|holds?|must|would|can(?:not|'t)?|does(?:n't)?"
    rf"|lies?|\w+verges)\b(?! the (?:only|number|value|smallest|largest|least|greatest|one|answer))|(?!))"
    rf"|(?: \w+){{1,4}} is [A-Z]| (?:methods|approaches|unknowns|variables|equations|conditions)\b)"
)
_OPENING: Final = re.compile(
    rf"(?:[Aa]s of|[Ii]n|[Aa]fter|[Ff]or|[Oo]ver|[Dd]uring|[Tt]he|[Tt]hese|[Tt]hose) {VALUE}(?: \S+){{3}}"
)
_ADVERBS: Final = r"(?: that| worth| approximately| about| roughly| exactly| only| therefore| then)*"
_ENDS: Final = re.compile(
    r"(?:\A(?![^ ]{1,300} (?!and |or )[a-z])"
    r"|\b(?:(?:is|are|be|was|were|(?<=they)'re|(?<=it)'s)(?: at| given by| equal to)?|leaving(?: \w{2,5})?(?: with)?"
    r"|equals|get|gives?|yield|find|prints?|outputs?|returns?|displays?"
    r"|obtain|(?:written|expressed) as"
    r"|(?:tend|diverge|converge|round|reduce|come|work|amount|add|evaluate|simplif[yi]e?)s?(?: out| up)? to(?: be)?"
    r"|(?:has|have) (?:the|an?) (?:[a-z]{1,20} ){0,2}(?:solutions?|roots?|values?)"
    r"|(?:there|home|back|arrives?|ends?|finish(?:es)?|starts?|leaves?) at|(?:center|centre|vertex|focus) at"
    r"|(?:es|est|ist|è|é|beträgt|vale)(?: donc| also)?(?: de)?)\b:?"
    rf"{_ADVERBS}|(?<![<>!])[=≈]|是|为|等于) ?({SEVERAL})(?: [A-Za-z/][A-Za-z/²³]{{0,19}}){{0,4}}\Z"
)
_COMPUTED: Final = re.compile(  # 240/60 = 4 hours
    rf"[=≈] ?({AMOUNT})(?![A-Za-z0-9_=]|\.\d)(?: of)?(?: [a-z]{{1,3}}(?:/[a-z]{{1,4}}"
    rf"|[²³]))?(?:[ -](?:[A-Za-z'’]{{1,20}}|\d{{1,3}}(?= [a-z]))){{0,12}}"
    r"(?<! to)(?<! the)(?<! a)(?<! of)(?<! and)(?<! is)(?<! us)[.!]?\Z"
)
_RESIDUE: Final = re.compile(
    rf"(?:\A|[,;:$] ?|\b[a-z]{{2,9}} )[^A-Za-z,;:]{{1,120}}≡ ?({AMOUNT})(?: ?\(?mod ?\d{{1,9}}\)?)?[.!]?\Z"
)
_CHECKED: Final = re.compile(
    r"(?:, because|\b(?:verify|check))\b.*\d\.\Z|\A\W*first\b|\b(?:I|we)(?: will|'ll) (?:first|now|then|start)\b",
    re.IGNORECASE,
)
_OPERATION: Final = re.compile(r"\d[^=\n]{0,60}?(?:[-+*/×·÷–−]|x(?!\()) ?[($]{0,2}\.?\d[^=\n]*\Z")
_EQUATION: Final = re.compile(r"\d[A-Za-z] ?[-+−] ?\d{0,3}[A-Za-z]\b")  # for unknowns: 9A + 3B
_OUTCOME: Final = re.compile(  # in words
    r"\b(?:((?:does|do) not exist|doesn't exist)|(?:has|have|there (?:is|are)) "
    r"(no (?:real |such )?(?:solutions?|roots?))|(?:has|have|there are) (infinitely many(?: solutions)?)"
    r"|(?:statement|claim|assertion|proposition) is (?:therefore )?(true|false)(?=\Z|[:;,])[^\n]*|(?:function|number"
    r"|it) is (even|odd|prime|irrational|rational|[Tt]rue|[Ff]alse))\Z"
    r"|\A([Yy]es|[Nn]o), (?=\S+ \S)(?!(?:[Ii]|wait|let|that|this is not|because)\b)|\b((?:converges"
    r"|diverges)(?: absolutely| conditionally)?|(?:does not"
    r"|doesn't) converge)\Z|\bis (all (?:real )?numbers(?: except \$?[a-z]\$? ?[=≠][^,;]{1,20})?|the empty set)\Z"
    r"|\A(?!.*\bwhich\b).*\bis (undefined)\Z"
    r"|\b((?:fail to |do not |don't |cannot )?reject (?:the null hypothesis|H_?0))\Z"
    r"|\bformula is ([A-Z][A-Za-z0-9₀-₉]*)\Z"
    rf"|\b(?:is|be|falls?|lands?)(?: on)?(?: an?)? ({_WEEKDAY})\Z"
)
_IF: Final = re.compile(r"\A\W{0,3}if\b|\bwhether\b", re.IGNORECASE)
_NUMBER: Final = "|".join(NUMBER_WORDS)
_FRACTION: Final = r"(?:half|halves|thirds?|quarters?|(?:four|fif|six|seven|eigh|nin|ten)ths?)"
_SCALE: Final = r"(?:hundred|thousand|million|billion)"
_SPELLED: Final = re.compile(
    r"(?:\b(?:is|are|equals|has|have|receives?|gets?|needs?|makes?|takes?|wins?|buys?|sells?|pays?|costs?) "
    r"(?:exactly |only )?|\A)"
    rf"(?!one (?!{_FRACTION}|{_SCALE}))"
    rf"((?:{_NUMBER})(?:[ -](?:and )?(?:{_NUMBER}|{_SCALE})\b){{0,9}}(?:[ -]{_FRACTION}| and a half)?)"
    rf"(?: (?!(?:of(?! them\Z)|and|or|to|out|dozen|{_FRACTION}|{_SCALE}|methods|approaches|unknowns|variables|equations"
    rf"|parts to)\b)[a-z](?:(?! and (?:{_NUMBER})\b)[^$\d])*)?\Z",
    re.IGNORECASE,
)
_COMMA: Final = re.compile(
    rf"(?<![\d,(\[{{])(\d{{1,9}}),(?:(\d{{1,2}})(?= ?{MEASURED})|(?<= 0,)(\d{{2,9}})(?=\W?(?:\s|\Z)))"
)  # of a decimal
_WHERE: Final = re.compile(
    r",? where \$?[a-z]\$?(?: ?\\in[^.=]{1,40}| is (?:an|any) (?:[a-z]{1,20} )?(?:integer|number|constant))\.?\Z"
)
_HAS: Final = re.compile(rf"{VALUE} has (?:exactly |only )?({VALUE})(?: [a-z-]{{1,20}}){{1,4}}")
_INTRO: Final = re.compile(
    r"\A(?:using|by|with|from|after|because|since|as|out of|applying|[a-z]{2,12}ing"
    r"|when (?:you|we|i) (?:run|execute)"
    r"|if we (?:simplify|add|subtract|multiply|divide|take|combine|count|round|convert|sum))"
    r" (?!the induct)[^,]{1,100}, (?=(?:the|it|they|he|she|each|we|this|there|its|our)\b|P\()",
    re.IGNORECASE,
)
_MAIN: Final = re.compile(
    r", (?:the|it|he|she|they|we|there|each|his|her|their|our|its|[A-Z][a-z]+(?= [a-z]))\b[^,]*\Z"
)
_DURING: Final = re.compile(  # when, for how many or to what end it holds, which is no answer beside another value
    r",? ?\b(?:[Aa]fter|(?:at|by) the end of|[Ii]n|[Dd]uring|[Oo]ver|within|[Ff]or|every|each|per)(?: [a-z]{1,9}){0,2}"
    r" \d{1,4}[ -](?:second|minute|hour|day|week|month|year)s?\b(?: work)?"
    r"|,? for (?:the |all |these |those )?\$?\d{1,4}\b(?![.,]\d)| in \d{1,4} of\b"
    r"| \d{1,4} years (?:from now|later|ago)\b"
    r"|,? at (?:a rate of )?\$?\d[\d.]{0,9} [a-z]{1,20} (?:an?|per|each|every) [a-z]{1,20}"
    r"|(?<=[a-z]) to (?!(?:be|the|an?)\b|(?:make|get|give|obtain|reach) \W?[\d.,]+\Z)[a-z]{2,12} [^,=]*\Z"
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
    r"[a-z²³] ?[-+−] \Z|\w\(\Z|\b(?:(?:at|on)(?: the)?|at level|(?:half|twice)(?: of)?"
    r"|(?i:theorem|lemma|corollary|equation|part|case|step|figure)) \(?\Z"
)  # 2xy − 3x², n(n−3)/2: only a part is read as a value; nor is what numbers a part of the text one
_RIGHT_TERM: Final = re.compile(r" (?:[-+−] \d{0,9}[a-z]|raised to\b)")
_LETTER: Final = re.compile(r"\$?(?:\\[a-z]{2,9}|[A-Za-z]|\([a-z, ]{3,9}\))(?:_\{?\w{1,5}\}?)?(?:\([A-Za-z]\))? ?=")
_ITALIC: Final = re.compile(r"([*_])(?=[^\s*_])((?:(?!\1).)*)\1")
_INDEX: Final = re.compile(r"_(?:\{[^{}]{0,30}\}|\w)")
_NO_SENTENCE: Final = re.compile(  # cut where a formula begins, or within a clause; an item of a list
    r"[a-z,:] \$\Z|\b(?:us|the|an?|is|are|of|to|and|by)\Z|[-+×/=(:]\Z|\A\W{0,3}[-*•] [^.]*\Z|\A[a-z] = \S+\Z"
)


def stated(sentence: str) -> str | None:
    """What a sentence comes to: the one number or formula that it states; None without such."""
    sentence = _COMMA.sub(r"\1.\2\3", _WHERE.sub(".", ASIDE.sub("", sentence)))
    sentence = _ITALIC.sub(r"\2", sentence) if _ITALIC.fullmatch(sentence) is not None else sentence
    complete = _NO_SENTENCE.search(sentence) is None
    sentence = sentence.replace("**", "")
    if (worked := _worked_out(sentence)) is not None:
        return worked
    start = _START.match(sentence)
    headed = start is not None and ":" in start[0]
    if not headed and not complete:
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
    value = _claimed(claim, sentence, plain)
    return claim if value is None and headed and len(claim.split()) < 6 else value or None


def _worked_out(sentence: str) -> str | None:
    """The result of a calculation with numbers that stands at the end of a sentence, or a residue."""
    if (computed := _COMPUTED.search(sentence)) is not None:
        operation = _OPERATION.search(sentence[max(computed.start() - 120, 0) : computed.start()])
        if operation is not None and _EQUATION.search(operation[0]) is None and _CHECKED.search(sentence) is None:
            return with_unit(computed[1].strip("$"), sentence, computed.end(1))
    residue = _RESIDUE.search(sentence)
    return residue[1] if residue is not None else None


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
    if plain and (owned := _HAS.fullmatch(claim)) is not None:
        return right_side(owned[1], sentence)
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
