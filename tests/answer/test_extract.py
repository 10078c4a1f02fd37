"""Final answers in model outputs, and classes of answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mcts_math.answer import answer_classes, extract_answer, is_equiv, majority


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"So the result is $\boxed{\frac{1}{2}}$.", r"\frac{1}{2}"),
        (r"First \boxed{1}, no: \boxed{2}.", "2"),
        (r"\boxed{\text{(A)} \{1, 2\}}", r"\text{(A)} \{1, 2\}"),
        (r"\boxed 5", "5"),
        (r"\fbox{7}", "7"),
        (r"thus \boxed{x = \boxed{3}}", "3"),
        ("<p>\nFinal Answer: $\\frac{3}{4}$\n</p>\n</step>", r"\frac{3}{4}"),
        ("Final Answer: 42", "42"),
        ("Final Answer: 42 <Solution complete>", "42"),
        ("**Final Answer:** 42", "42"),
        ("Final Answer: The final answer is $8$. I hope it is correct.", "8"),
        ("The final answer is 3.5.", "3.5"),
        ("Therefore the answer is $x=3$ because it is.", "x=3"),
        (r"The answer is $5$.", "5"),
        ("The answer is \\boxed{9}", "9"),
        ("He pays 3 dollars.\n#### 1,200", "1,200"),
        ("The answer is (B) 12.", "(B) 12"),
        ("The answer is (C).", "C"),
        ("Answer: D", "D"),
        ("The correct option is (E)", "E"),
        ("So we have **17**", "17"),
        ("So it is **17**.", "17"),
        ("\\boxed{3} ... wait. Final Answer: 4", "4"),
        ("The answer is 9 a.m.", "9 a.m."),
        (r"Final Answer: $\begin{pmatrix}1\\2\end{pmatrix}$", r"\begin{pmatrix}1\\2\end{pmatrix}"),
        ("It is 5, or 6, or 7.", None),
        ("", None),
        (r"\boxed{", None),
        (r"\boxed{}", None),
        ("The numbers 3 and 4 are in bold: **3** and 4 here.", None),
    ],
)
def test_extract(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("\\boxed{\\boxed{5}}", "5"),
        ("\\boxed{a=\\boxed{3}} hence \\boxed{4}", "4"),
        ("$x=\\boxed{2}$ and $y=\\boxed{3}$", "2, 3"),
        ("\\boxed{2}, \\boxed{3}, and \\boxed{5}", "2, 3, 5"),
        ("\\boxed{5}. So \\boxed{5}", "5"),
        ("\\boxed{5}, \\boxed{5}", "5"),
        ("<answer>\n\\boxed{7}\n</answer>", "7"),
        ("<answer>5", None),
        ("<think>x</think><answer> 12 </answer>", "12"),
        ("I think \\boxed{3}</think>\nThe answer is 4.", "4"),
        ("<think>\\boxed{3}</think>", None),
        ("<think>a</think>\\boxed{3}<think>\\boxed{4}", "3"),
        ("## Final Answer:\n\n\\[\nx = 5.\n\\]", "x = 5"),
        ("**Final Answer**\n\n$$\\frac{1}{2}$$", "\\frac{1}{2}"),
        ("Final Answer\n5", "5"),
        ("**Answer:** 5", "5"),
        ("Answer: **5**", "5"),
        ("**Answer: 5**", "5"),
        ("The answer is: **5**.", "5"),
        ("\\boxed{\\textcolor{blue}{\\frac12}}", "\\frac12"),
        ("\\boxed{{\\color{red} 5}}", "5"),
        ("\\boxed{\\color{red}5}", "5"),
        ("\\boxed{5}\n\nTherefore the final answer is correct.", "5"),
        ("\\boxed{5}\nThe answer is 6", "5"),
        ("#### 5\nThe answer is fine.", "5"),
        ("The answer is Mt. Everest.", "Mt. Everest"),
        ("The answer is 3.5. Then", "3.5"),
        ("The answer is 5 because x", "5"),
        ("The answer is $5$, since", "5"),
        (
            "<|channel|>analysis<|message|>\\boxed{3}<|end|><|start|>assistant"
            "<|channel|>final<|message|>The answer is 4<|return|>",
            "4",
        ),
        ("<|channel|>analysis<|message|>\\boxed{3}", None),
        ("The answer is \\boxed{12", None),
        ("answer is 3. Final Answer: \\boxed{5", None),
        ("[THINK]\\boxed{3}[/THINK]5", "5"),
        ("\\boxed{3} ... wait. Final Answer: 4", "4"),
        ("Answer: (B)", "B"),
        ("The final answer is (A) 5", "(A) 5"),
        ("**Step 1**\nfoo\n\n**42**", "42"),
        ("The answer is\n\n42", "42"),
        ("### Answer\n42", "42"),
        ("#### $\\frac12$", "\\frac12"),
        ("The answer is `5`", "`5`"),
        ("The answer is 5 apples.", "5 apples"),
        ("So the answer is x = 3, y = 4.", "x = 3, y = 4"),
        ("The answer is 1,200.", "1,200"),
        ("The correct answer is option C.", "C"),
        ("Final answer: 7<|im_end|>", "7"),
        ("The answer is 5<eos>", "5"),
        ("\\boxed{2} or \\boxed{3}", "2, 3"),
        ("Final Answer: $5$ dollars", "$5$ dollars"),
        ("\\(\\boxed{5}\\)\n\n**Verification**: the answer: 7 is not right", "5"),
        ("The answer is yes, because it works", "yes"),
        ("The final answer is:\n\\[\n5\n\\]", "5"),
        ("### Final Answer\n\n5", "5"),
        ("So <answer>5</answer>", "5"),
        ("\\boxed{5}\n\nCheck: the answer is consistent.", "5"),
        ("So \\boxed{\\color{red}{5}}", "5"),
        ("The answer is 42, which is even.", "42"),
        ("Try \\boxed{7}. No: \\boxed{12", None),
        ("<think>\nmaybe \\boxed{5}? let me", None),
        ("<think>\nmaybe \\boxed{5}?\n</think>\n\nThe answer is 6.", "6"),
        ("The solutions are \\boxed{2} and \\boxed{-2}.", "2, -2"),
        ("The answer is 5</s>", "5"),
        ("The city is St. Petersburg. Final Answer: St. Petersburg", "St. Petersburg"),
        # boxes
        ("$\\boxed{x=\\boxed{5}}$", "5"),
        ("\\boxed5", "5"),
        ("\\framebox{5}", "5"),
        ("**\\boxed{5}**", "5"),
        ("\\boxed{5} is wrong. So \\boxed{6} is right. The answer is 5.", "6"),
        ("\\boxed{5}\n\nThe final answer is 6.", "5"),
        ("\\boxed{5}. Hmm, wait. \\boxed{", None),
        ("answer: \\boxed{}", None),
        ("Put it in \\boxed{}. So \\boxed{5}", "5"),
        ("So \\boxed{5}. (The answer is in \\boxed{}.)", "5"),
        # tags
        ("<answer>The answer is 5</answer>", "5"),
        ("<final_answer>5</final_answer>", "5"),
        ("<answer>5</answer>\nI hope the answer is 6.", "5"),
        ("<answer>x</answer> no <answer>5", None),
        # displays on lines of their own
        ("The result:\n\\[5\\]", "5"),
        ("The solution is\n\n\\[\n5\n\\]", "5"),
        ("Thus we have\n\\[5\\]", "5"),
        ("We solve\n\\[x+1=5\\]\nfor x.", None),
        ("**Final Answer**\n\n\\[\n\\begin{pmatrix}1\\\\2\\end{pmatrix}\n\\]", "\\begin{pmatrix}1\\\\2\\end{pmatrix}"),
        # headings and markdown
        ("## **Answer**\n\n5", "5"),
        ("__Final Answer__\n5", "5"),
        ("Final Answer:\n\n- 5", "5"),
        ("Final Answer: - 5", "- 5"),
        ("1. **Answer:** 12", "12"),
        ("Final Answer (in cm): 12", "12"),
        ("#### 5 ####", "5"),
        ("```\nFinal Answer: 5\n```", "5"),
        # sentences
        ("The answer is therefore 5.", "5"),
        ("The answer is $\\textbf{(B)}$ 12", "$\\textbf{(B)}$ 12"),
        ("Final Answer: $x=1$, $y=2$", "$x=1$, $y=2$"),
        ("最终答案：$5$", "5"),
        ("答案是5。因为它大。", "5"),
        # colours
        ("{\\color{red}\\boxed{5}}", "5"),
        ("\\boxed{\\textcolor{red}{\\text{(A)}}}", "\\text{(A)}"),
        # thoughts
        ("<think>\nFinal Answer: 3", None),
        ("<think>a</think>\n\n<think>\\boxed{4}", None),
        ("◁think▷\\boxed{4}", None),
        ("◁think▷\\boxed{4}◁/think▷The answer is 5.", "5"),
        ("<|begin_of_thought|>\\boxed{4}<|end_of_thought|>So \\boxed{5}", "5"),
        ("<|begin_of_thought|>\\boxed{4}", None),
        ("<scratchpad>\\boxed{3}</scratchpad> The answer is 9", "9"),
        ("<analysis>\n#### 3", None),
        ("<analysis>3?</analysis>#### 4", "4"),
        ("[Reasoning] 2+2.\n[Answer]\n#### 4", "4"),
    ],
)
def test_whole_replies(text: str, answer: str | None) -> None:
    """Boxes, tags, headings, displays, colours, thoughts and unfinished ends, as chat models write them."""
    assert extract_answer(text) == answer


def test_majority_counts_equal_answers_as_one() -> None:
    winner = majority(["3", r"\frac12", "0.5", "3", "1/2"])
    assert winner is not None
    assert winner.answer == r"\frac12"
    assert winner.members == (1, 2, 4)
    assert winner.weight == 3


def test_ties_go_to_the_first_to_appear() -> None:
    winner = majority(["4", "5", "5.0", "4.0"])
    assert winner is not None
    assert winner.answer == "4"


def test_weights_decide() -> None:
    winner = majority(["4", "5", "4"], weights=[0.1, 0.9, 0.2])
    assert winner is not None
    assert winner.answer == "5"
    with pytest.raises(ValueError, match="weights"):
        majority(["4"], weights=[])


def test_no_answers() -> None:
    assert majority([]) is None
    assert answer_classes([]) == []


def test_classes_are_transitive() -> None:
    classes = answer_classes(["10", "0.1", r"10\%"])  # 10 % is both, so all three are one class
    assert [group.members for group in classes] == [(0, 1, 2)]


def test_another_judge_may_be_used() -> None:
    classes = answer_classes(["a", "A", "b"], same=lambda first, second: first.lower() == second.lower())
    assert [group.members for group in classes] == [(0, 1), (2,)]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("\\boxed{7}\n\n#### Verification:\nplug in x=3 gives 4", "7"),
        ("Final Answer: 5\n#### Verification", "5"),
        ("<answer>5</answer>\n#### Check", "5"),
        ("#### Answer\n5", "5"),
        ("#### 42", "42"),
        ("x\n#### -5", "-5"),
        ("#### Answer: 5", "5"),
        ("#### \\frac12", "\\frac12"),
        ("#### yes", "yes"),
        ("The answer is (B) or (C).", "(B) or (C)"),
        ("Final Answer: (A) and (C)", "(A) and (C)"),
        ("<answer>A) or B)</answer>", "A) or B)"),
        ("#### (A) or (B)", "(A) or (B)"),
        ("Final Answer: (A) True (B) False (C) True", "(A) True (B) False (C) True"),
        ("Final Answer: (A) < 5", "(A) < 5"),
        ("The answer is (B) 12", "(B) 12"),
        ("Final Answer: (C)", "C"),
        ("Final Answer: B.", "B"),
        ("The answer is (D) None of these", "(D) None of these"),
        ("Final Answer: \\(5\\) or \\(6\\)", "\\(5\\) or \\(6\\)"),
        ("Final Answer: \\(x=1\\), \\(y=2\\)", "\\(x=1\\), \\(y=2\\)"),
        ("Final Answer: \\(5\\) million", "\\(5\\) million"),
        ("Final Answer: \\(5\\)%", "\\(5\\)%"),
        ("Final Answer: \\(5\\).", "5"),
        ("Final Answer: \\[5\\]", "5"),
        ("Final Answer: $$x+1$$\nbye", "x+1"),
        ("Final Answer: \\(5\\), because x", "5"),
        ("\\(\\boxed{5}\\) and \\(\\boxed{6}\\)", "5, 6"),
        ("\\[\\boxed{5}\\] and \\[\\boxed{6}\\]", "5, 6"),
        ("$\\boxed{5} \\text{ or } \\boxed{6}$", "5, 6"),
        ("$\\boxed{5}, \\quad \\boxed{6}$", "5, 6"),
        ("$\\boxed{5}$ then $\\boxed{6}$", "6"),
    ],
)
def test_headings_hedges_and_several_formulas(text: str, answer: str) -> None:
    """A heading of fourth level marks no answer, a choice among several is none, and joined formulas stay together."""
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("$-\\boxed{5}$", "-5"),
        ("$x = -\\boxed{\\frac12}$", "-\\frac12"),
        ("$x=\\pm\\boxed{3}$", "\\pm 3"),
        ("$\\boxed{3} \\times 10^5$", "3\\times 10^5"),
        ("$\\boxed{2}\\pi$", "2\\pi"),
        ("$f(x)=\\boxed{x^2}+C$", "(x^2)+C"),
        ("$x^2 + \\boxed{6x} + 9$", "6x"),  # a gap that is filled
        ("$\\boxed{5}\\text{ cm}$", "5"),
        ("(a) $\\boxed{2}$\n\n(b) $\\boxed{3}$", "2, 3"),
    ],
)
def test_what_stands_beside_a_box(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is not \\boxed{5}.", None),
        ("The answer is 8, not \\boxed{9}", "8"),
        ("The answer is not 5, but 6.", "6"),
        ("\\boxed{7} is the answer. (The form is \\boxed{answer}.)", "7"),
        ("\\boxed{7}\n\nHuman: what is 3+3?\n\nAssistant: \\boxed{6}", "7"),
        ("```python\nprint('\\\\boxed{9}')\n```\nThe answer is 8.", "8"),
        ("```python\nprint('\\\\boxed{9}')\n```", None),
        ('```python\nprint("The answer is", total)\n```\nRun the code.', None),
        ("```python\nanswer = factorial(6)\n```", None),
        ("Put it in \\boxed{}.\n\nx = 14", "14"),
        ("x = 14\n\n$\\boxed{}$", "x = 14"),
    ],
)
def test_boxes_that_are_no_answer(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize("said", ["therefore", "then,", "finally", "obviously", "found to be", "equal to", "given by:"])
@pytest.mark.parametrize("value", [" $17$.", "\n$$\n17\n$$", "\n\n\\[17.\\]\n", " $\\boxed{17}$."])
def test_words_between_a_mark_and_its_answer(said: str, value: str) -> None:
    assert extract_answer(f"The answer is {said}{value}") == "17"
    assert extract_answer(f"The answer is {said}") is None


@pytest.mark.parametrize("said", ["turns out to be", "is found to be approximately", "is then", "is thus:"])
def test_a_display_behind_words_that_lead_to_it(said: str) -> None:
    assert extract_answer(f"The answer {said}\n$$\n17\n$$\n") == "17"


@pytest.mark.parametrize(
    "text",
    [
        *("Ответ: 5", "**Ответ:** 5", "Réponse : 5", "La réponse est 5.", "Antwort: 5", "Die Antwort ist 5."),
        *("Respuesta: 5", "La respuesta es 5.", "Resposta: 5", "La risposta è 5.", "Cevap: 5", "Đáp án: 5"),
        *("الجواب: 5", "Odpowiedź: 5", "उत्तर: 5", "Antwoord: 5"),
        *("정답: 5", "정답은 5입니다.", "答え：5", "よって、答えは 5 である。", "答案是5。", "故选：5"),
        *('{"reasoning": "2+3", "answer": 5}', '```json\n{"final_answer": "5"}\n```', "<b>Answer:</b> 5"),
        *("Hence, the final result is $5$.", "5", "$5$", "(5)"),
    ],
)
def test_marks_of_other_languages_and_forms(text: str) -> None:
    answer = extract_answer(text)
    assert answer is not None
    assert is_equiv("5", answer)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("So the final answer is 42 – let me know if you'd like more detail!", "42"),
        ("The final answer is 17 ✓", "17"),
        ("The answer is 42. ∎", "42"),
        ("The answer is 12 (not 13).", "12"),
        ("Final Answer:\n1. x = 2\n2. y = 3", "x = 2, y = 3"),
        ("Hence, the answer to the question is 31.", "31"),
        ("Answer = 14", "14"),
        ("Thus, the answer must be 9.", "9"),
        ("The answers are 3 and 4.", "3 and 4"),
        ("**Result:** 12", "12"),
        ("Hence option (C) is correct.", "C"),
        ("So the answer is **42** apples.", "42 apples"),
        ("Final Answer:\n```\n12\n```", "12"),
        ("Answer: ```12```", "12"),
        ("boxed{42}", "42"),
        ("If the answer is 5, then x = 2, which is a contradiction.", None),
    ],
)
def test_ends_of_replies(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        # taken back
        ("Answer: $x=5$.\n\nCorrection: I dropped a sign. The right answer is $x=-5$.", "x=-5"),
        (r"\boxed{5}" + "\n\nWait, that's wrong. It should be 6.", "6"),
        ("The answer is 5. Sorry, I meant 6.", "6"),
        ("The answer is 8. Wait, no: it is 4.", "4"),
        ("Answer: 5\n\nCorrected answer: 6", "6"),
        # not taken back
        (r"\boxed{12}" + "\n\nWait, for $n=2$ we get 2. Is it consistent? Yes.", "12"),
        (r"\boxed{12}" + "\n\nBut wait, if n is even the answer is 6. However, n is odd.", "12"),
        (r"\boxed{5}" + "\n\nActually, 7 is also a candidate, but it is ruled out.", "5"),
        (r"\boxed{5}" + "\n\nSorry, it should be noted that 7 is prime.", "5"),
        # by the way
        (r"Is the answer \boxed{12}? No, because 12 is not prime. The answer is 13.", "13"),
        (r"\boxed{7} is what most people get, but the right answer is 8.", "8"),
        (r"\boxed{12}." + "\n\n" + r"Common wrong answer: \boxed{13}", "12"),
        (r"$\boxed{12}$. Check: for $n=1$ we get $\boxed{1}$.", "12"),
        (r"\boxed{12} rather than \boxed{13}", "12"),
        (r"If we include 1, the count is $\boxed{5}$.", "5"),
        # another turn
        ("\\boxed{5}<|im_end|>\n<|im_start|>user\nNext?<|im_end|>\n<|im_start|>assistant\n\\boxed{9}", "5"),
    ],
)
def test_what_is_taken_back_or_said_by_the_way(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"(a) The slope is $\boxed{2}$." + "\n\n" + r"(b) The intercept is $\boxed{-3}$.", "2, -3"),
        ("**Part 1:** The area is $\\boxed{5}$.\n\n**Part 2:** The side is $\\boxed{5}$.", "5, 5"),
        (r"1. $\boxed{3}$" + "\n" + r"2. $\boxed{4}$", "3, 4"),
        ("Minimum: $\\boxed{2}$\n\nMaximum: $\\boxed{8}$", "2, 8"),
        (r"The mean is $\boxed{5}$ and the deviation is $\boxed{2}$.", "5, 2"),
        ("x = \\boxed{1}\n\ny = \\boxed{2}", "1, 2"),
        (r"Slope $m=\boxed2$, intercept $b=\boxed3$", "2, 3"),
        # steps to one answer
        ("1. The radius is $\\boxed{3}$\n2. The area is $\\boxed{9\\pi}$", "9\\pi"),
        ("(a) We get $\\boxed{3}$.\n(b) This gives $\\boxed{4}$. The total is $\\boxed{7}$.", "7"),
        (r"The radius is $\boxed{3}$. The area is $\boxed{9\pi}$.", r"9\pi"),
        (r"Case 1 gives $\boxed{1}$, so the count in Case 2 is 4. The total is $1+4=\boxed{5}$.", "5"),
    ],
)
def test_boxes_of_parts(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is **8**. (If reflections counted, it would be 16.)", "8"),
        ("The answer is 3/4, i.e. 75%.", "3/4"),
        ("Answer: $\\frac12$ of the cake", "\\frac12"),
        ("Answer: 12.3 cm (3 s.f.)", "12.3 cm"),
        ("The answer is B, not C.", "B"),
        ("Answer: C ($\\frac34$)", "C"),
        ("The answer is **8**: there are four pairs.", "8"),
        ("La réponse est donc $7$.", "7"),
        ("The answer isn't 5; it's 6.", "6"),
        ("The answer is as follows.\n\nIt is shown below", None),
        ("**Final Answer**\n\n", None),
        (r"\boxed{\text{answer}}", None),
        ("\\section*{Answer}\n12", "12"),
        ("I think the answer is 6, but I am not sure.", "6"),
        ("The answer is 17 (see Step 3).", "17"),
        ("Answer: Janet makes $18 every day at the market.", "18"),
        ("**Answer**: She needs to buy **12** boxes, with 3 pencils left over.", "12"),
        ("Answer: They need 12 chairs for 3 tables.", "12"),
        ("Answer: Tom is 25 years old and his father is 50.", "Tom is 25 years old and his father is 50"),
        ("Answer: We reject the claim at the 0.05 level.", "We reject the claim at the 0.05 level"),
        ("*Answer*: 12", "12"),
        ("Final answer → 16", "16"),
        ("Svar: 5", "5"),
        ("उत्तर है 18", "18"),
        ("I would choose option (C).", "C"),
        ("因此选 A", "A"),
        ("Therefore, (B) is correct.", "B"),
        ("Only option C satisfies this.", "C"),
        ("综上所述，正确选项是 C。", "C"),
        ("正确的选项不是 C。", None),
        ("12 is the answer.", "12"),
        ('{"answer": [1, 2]}', "1, 2"),
        ("[ANSWER]12[/ANSWER]", "12"),
        ("```python\nprint(3+4)\n```\n```output\n7\n```", "7"),
        ("```output\nNameError: name 'x' is not defined\n```", None),
        ("**False.** Take $x=-1$.", "False"),
    ],
)
def test_marks_and_what_follows_the_answer(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Adding.\n\nTherefore, $x = 12$.", "12"),
        ("We get $n=6$, as desired.", "6"),
        ("Thus $\\lim_{x\\to\\infty} x^2 = \\infty$.", "\\infty"),
        ("Hence $\\int_1^2 \\frac1x\\,dx = \\ln 2$.", "\\ln 2"),
        ("∠ABC = 30°", "30°"),
        ("It is 25, so d = 25", "25"),
        ("2d = 50 → d = 25", "25"),
        ("12.6 + 313.9 = 326.5", "326.5"),
        ("The distance is 25 km", "25 km"),
        ("The coach spent 85 dollars more than the baseball coach.", "85 dollars"),
        ("Ella would earn 132 dollars after 12 hours of dog walking.", "132 dollars"),
        ("The farmer needs 2 more cows to produce 25 liters of milk a day.", "2"),
        ("James responds to 320 emails in a 5 day work week.", "320"),
        ("The kitten has cost Leah 308 dollars so far.", "308 dollars"),
        ("There were 50 people in the church next door.", "50"),
        ("They received 1125 reports on Wednesday.", "1125"),
        ("Therefore, the statement that is NOT true is A.", "A"),
        ("It appears that option A (25 km) is the correct one.", "A"),
        ('[asy]label("9", (0,0));\nlabel("10", (1,0));[/asy]', None),
        ("There are more than 5 of them", None),
        ("It cannot be A.", None),
        ("The distance is 25 km, which we can verify: 25/5 - 25/10 = 2.5.", "25 km"),
        ("The distance is 25 km. This matches the time of 2.5 hours.", "25 km"),
        ("The 720 grams of food will last for 2.0 days.", None),
        ("The 720 grams of food will last for 2 days.", None),
        ("In 5 days he reads half.", None),
        ("So 15 would not work.", None),
        ("So the remainder 11 would be too large.", None),
        ("The expression equals 5 raised to the $2/15$ power.", None),
        ("He added 5 apples to make 12.", None),
        ("This follows from Theorem 3", None),
        ("The total cost is 3 +", None),
        ("There are 3 ways to do this:", None),
        ("Over 3 years he saves 360 dollars.", "360 dollars"),
        ("Total number of M&M's: 300+312+150=762 M&M's", "762"),
        ("So it is $15\\cdot 0.8 \\approx 12.08 \\approx 12.1$.", "12.1"),
        ("The keys can be put there in $3!=6$ ways.", "6"),
        ("(So $a = b = 0$ would not help.) Then $a = 1$ and $a + b + c = 11$.", "11"),
        ("(4x - 3)(4x + 3) = 16x² - 9", "(4x - 3)(4x + 3) = 16x² - 9"),
        ("The value is $\\frac37$.", "\\frac37"),
        ("So the sum is 3 + 4 = 7.", "7"),
        ("The solutions are $x=-2$ and $x=2$.", "-2, 2"),
        ("But he gave 2 away, so he is left with 10 marbles.", "10"),
        ("So she paid $18.90 in total.", "18.90"),
        ("Thus, the circle is $x^2+y^2=25$.", "x^2+y^2=25"),
        ("Thus, $x+y=25$.", "25"),
        ("Thus,\n\\begin{align*}S &= 3+4\\\\&= 7.\\end{align*}", "7"),
        ("TL;DR: 4", "4"),
        ("Let $2x+3=11$, so $2x=8$ and $x=4$.", "4"),
        ("The eigenvalues are therefore $1$ and $3$.", "1, 3"),
        # no conclusions
        ("We know that 3 apples cost 5 dollars.", None),
        ("So we need to find the value of $x$.", None),
        ("Thus 3 of the 5 balls are red.", None),
        ("Hence $f$ is injective.", None),
        ("Therefore, the minimum is $-4$, attained at $x=2$.", "-4"),
        ("Therefore, $n^2+1$ is prime.", None),
        ("The number of apples is", None),
    ],
)
def test_conclusions_without_a_mark(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("gold", "pred", "equal"),
    [
        ("\\sqrt2", "\\sqrt2\\ (\\approx 1.414)", True),
        ("n=12", "n=12\\text{ (since }12>11)", True),
        ("\\text{False}", "\\text{False (take x=-1)}", True),
        ("y=Ce^{2x}", "$y=Ce^{2x}$, where $C$ is an arbitrary constant", True),
        ("12\\text{ cm}", "12\\text{ (in cm)}", True),
        ("\\frac12", "\\frac12\\text{ or }0.5", True),
        ("18", "18 (that is, 2·9)", True),
        ("30 minutes", "30 minutes, or half an hour", True),
        ("4", "\\therefore x=4", True),
        ("5", "5 or 6", False),
        ("5", "5, i.e. 6", False),
        ("10\\%", "0.1 or 10", False),
        ("12 (in cm)", "12 (in m)", False),
        ("90^\\circ\\text{ (about the origin)}", "90^\\circ\\text{ (about }(1,2))", False),
        ("\\text{all reals (not 0)}", "\\text{all reals}", False),
    ],
)
def test_remarks_and_answers_said_twice(gold: str, pred: str, equal: bool) -> None:
    assert is_equiv(gold, pred) is is_equiv(pred, gold) is equal


@pytest.mark.parametrize("line", (Path(__file__).parent / "replies.jsonl").read_text(encoding="utf-8").splitlines())
def test_replies_of_strangers(line: str) -> None:
    """Replies whose answer was once missed."""
    said = json.loads(line)
    assert extract_answer(said["reply"]) == said["answer"]


@pytest.mark.parametrize(
    "text",
    [
        "Let $x$ be the number of apples. Then 3x + 5 = 20 would give us",
        "If each box held 5, there would be 10.",
        "There are at least 5 such numbers.",
        "First we get 12.",
        "Consider the sum\n$$S = 1 + 2 = 3$$",
        "Let $AB = c$. By the law of cosines,\n$$a^2 = b^2.$$\nWe substitute this and obtain\n$$",
        "The numbers 3 and 4 are in bold: **3** and 4 here.",
        "Is it **5**?",
        "A is wrong. B is wrong. So is C, I fear.",
    ],
)
def test_nothing_is_concluded(text: str) -> None:
    assert extract_answer(text) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is **24**.\n\n(If rotations counted, the answer would be 6.)", "24"),
        ("The work is **450 J**.\n\n### Key points\n1. The angle was 0, so it is 1.", "450 J"),
        ("[Answer: 60]", "60"),
        ("The interval is (0, 1].", "(0, 1]"),
        ("Answer: (0, 1]", "(0, 1]"),
        ("1. 5×3=15\n2. 15+2=17", "17"),
        ("(a) $\\boxed{3}$, so the final answer is $\\boxed{7}$.", "7"),
    ],
)
def test_what_stands_around_an_answer(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("So he needs 24/12 = 2 boxes", None),
        ("**5**", None),
        ("42", None),
        ("The answer is 5. Then", "5"),
        ("The final answer is 1", None),  # of 12
        (r"\boxed{5}. No", "5"),
    ],
)
def test_a_reply_that_was_cut_has_the_answer_that_it_marks(text: str, answer: str | None) -> None:
    assert extract_answer(text, cut=True) == answer
    assert extract_answer(text) is not None
