"""From a config to a search: the step format, how nodes are expanded, and which strategy runs with which numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from mcts_math.answer import AnswerClass, extract_answer, majority
from mcts_math.chat import ChatFormat
from mcts_math.config import Config
from mcts_math.errors import ConfigError
from mcts_math.requests import Check, Sampling, Verdict, Verification, Verify
from mcts_math.search import (
    Budget,
    Expansion,
    MctsOptions,
    Search,
    beam_search,
    best_of_n,
    extract,
    fttt,
    mcts,
    react,
    revision,
    self_consistency,
    self_refine,
    token_beam,
)
from mcts_math.step import Example, FewShotFormat, SftFormat, StepFormat, choose_examples
from mcts_math.task import is_code_task
from mcts_math.tree import Tree

_PROMPTS = Path(__file__).parent / "prompts"


def make_search(config: Config) -> Callable[[Tree], Search]:
    """The strategy that a config describes, with everything but the tree filled in."""
    strategy = _strategy(config, make_expansion(config))

    def search(tree: Tree) -> Search:
        try:
            yield from strategy(tree)
        finally:  # a tree that is cut short keeps what was found so far
            if config.mode == "mcts":
                tree.solutions = extract(
                    tree,
                    strategy=config.mcts_infer_strategy,
                    beam_width=config.step_beam_width,
                    c_puct=config.c_puct,
                    pruned=True,  # a tree that holds an answer gives one
                )
        if tree.correct is None:
            yield from _grade(tree)

    return search


def _grade(tree: Tree) -> Search:
    """Whether the first solution is right: its answer is compared, or its program tested."""
    task = tree.task
    if not task.answers and not is_code_task(task):
        return
    if not tree.solutions:
        tree.correct = False if is_code_task(task) else None
        return
    node = tree.nodes[tree.solutions[0]]
    if task.answers:
        (correct,) = yield [Check(node.answer or "", task.answers)]
        tree.correct = correct is True
    else:
        (verification,) = yield [Verify(task, "\n".join(step.text for step in tree.turn(node)))]
        assert isinstance(verification, Verification)
        tree.correct = verification.verdict is Verdict.CORRECT


def make_expansion(config: Config) -> Expansion:
    """How nodes are expanded under a config. Only MCTS counts errors and asks for verdicts while it searches."""
    sampling = Sampling(config.temperature, config.top_p, config.top_k, config.max_tokens, config.stops)
    is_mcts = config.mode == "mcts"
    return Expansion(
        format=make_format(config),
        sampling=sampling,
        max_depth=config.max_depth,
        run_seed=config.run_seed,
        errors_threshold=config.errors_threshold if is_mcts else None,
        remove_duplicate=config.remove_duplicate,
        check_answers=is_mcts and config.is_sampling,
    )


def make_format(config: Config) -> StepFormat:
    """The step format; reads the few-shot files where it needs them."""
    if config.prompt_wrap == "chat":
        return ChatFormat(extract_answer, config.delimiter)
    if config.prompt_wrap == "react_sft":
        return SftFormat(config.delimiter)
    instructions = _read_text(config.prompt_path, _PROMPTS / "react.txt", "prompt_path")
    examples = _read_examples(config.few_shot_path)
    if config.num_few_shot > len(examples):
        raise ConfigError(f"num_few_shot is {config.num_few_shot}, but there are only {len(examples)} examples.")
    chosen = choose_examples(examples, config.num_few_shot, config.run_seed)
    return FewShotFormat(instructions, chosen, config.delimiter)


def _strategy(config: Config, expansion: Expansion) -> Callable[[Tree], Search]:
    if config.mode == "react":
        return lambda tree: react(tree, expansion, too_long_value=config.negative_reward)
    if config.mode == "sbs":
        return lambda tree: beam_search(
            tree,
            expansion,
            beam_width=config.step_beam_width,
            num_samples=config.n_generate_sample,
            use_value=config.need_value_func,
            too_long_value=config.negative_reward,
        )
    if config.mode == "mcts":
        options = _mcts_options(config)
        return lambda tree: mcts(tree, expansion, options)
    return _trials(config, expansion)


def _mcts_options(config: Config) -> MctsOptions:
    return MctsOptions(
        iterations=config.iterations,
        num_samples=config.n_generate_sample,
        c_puct=config.c_puct,
        use_value=config.need_value_func,
        update_leaf_value=config.update_leaf_value,
        is_sampling=config.is_sampling,
        positive_reward=config.positive_reward,
        negative_reward=config.negative_reward,
    )


def _trials(config: Config, expansion: Expansion) -> Callable[[Tree], Search]:
    """The solvers of SPEC part B, which make whole attempts."""
    budget = Budget(config.trials, config.stop_at_success, config.n_generate_sample)
    weight = config.reflection_weight if config.self_reflection else None
    searches: dict[str, Callable[[Tree], Search]] = {
        "best_of_n": lambda tree: best_of_n(tree, expansion, budget),
        "self_consistency": lambda tree: self_consistency(tree, expansion, budget, _vote),
        "revision": lambda tree: revision(tree, expansion, budget),
        "self_refine": lambda tree: self_refine(tree, expansion, budget),
        "token_beam": lambda tree: token_beam(tree, expansion, config.trials),
        "fttt": lambda tree: fttt(tree, expansion, budget, reflection_weight=weight),
    }
    return searches[config.mode]


def _vote(answers: Sequence[str], same: Callable[[str, str], bool]) -> AnswerClass | None:
    return majority(answers, same=same)


def _read_text(given: str | None, bundled: Path, key: str) -> str:
    path = bundled if given is None else Path(given)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: {path} can't be read: {error}. Leave {key} out for the bundled text.") from error


def _read_examples(given: str | None) -> list[Example]:
    text = _read_text(given, _PROMPTS / "examples.json", "few_shot_path")
    try:
        return [Example(item["question"], item["solution"]) for item in json.loads(text)]
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"few_shot_path: {given}: expected a JSON list of objects with `question` and `solution`: {error!r}."
        ) from error
