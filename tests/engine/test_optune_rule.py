"""OpTune's formulas against numbers computed by hand, and its whole step against finite differences."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from mcts_math.engine.hf.optune.rule import Factors, Moments, Network, Shape, UpdateRule, make_factors
from mcts_math.engine.hf.optune.sites import changed, find_sites, measure, shapes_of
from mcts_math.errors import EngineError


def tensor(*rows: Any) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


# The formulas.


def test_tokens_with_an_empty_factor_are_left_out() -> None:
    factors = make_factors(tensor([1, 0], [0, 0], [2, 2]), tensor([0, 3], [1, 1], [0, 0]))
    assert factors.inputs.tolist() == [[1, 0]]
    assert factors.slopes.tolist() == [[0, 3]]


def test_moments_are_those_of_all_vectors_so_far() -> None:
    moments = Moments(2)
    seen: list[list[float]] = []
    for batch in ([[1.0, 10.0], [3.0, 10.5]], [[8.0, 9.0]], [], [[-2.0, 4.0], [0.5, 1.0], [7.0, 7.0]]):
        seen += batch
        moments.merge(Moments.summarise(torch.tensor(batch).reshape(-1, 2)))
    for place, column in enumerate(zip(*seen, strict=True)):
        assert float(moments.mean[place]) == pytest.approx(statistics.fmean(column))
        deviation = statistics.stdev(column)
        (shown,) = moments.normalise(tensor([5, 5]))[:, place]
        assert float(shown) == pytest.approx((5 - statistics.fmean(column)) / (deviation + 1e-7), rel=1e-6)
    assert float(moments.count) == 6


def test_the_deviation_is_enlarged_by_1e_7() -> None:
    moments = Moments(1)
    moments.merge(Moments.summarise(torch.tensor([[1e-7], [3e-7]])))  # deviation sqrt(2) · 1e-7
    expected = 1e-7 / (math.sqrt(2) * 1e-7 + 1e-7)
    assert float(moments.normalise(torch.tensor([[3e-7]]))) == pytest.approx(expected, rel=1e-5)


def test_the_network_is_the_identity_at_first_and_then_what_it_says() -> None:
    network = Network(3, rank=2, dropout=0.0)
    x = tensor([1, 2, 3])
    assert torch.equal(network(x), x)
    bound = 3**-0.5  # Kaiming-uniform with a = sqrt 5
    assert 0 < float(network.down.weight.detach().abs().max()) <= bound
    assert network.down.bias is None
    with torch.no_grad():
        network.down.weight.copy_(tensor([1, 0, 1], [0, 1, 0]))  # -> [4, 2]
        network.up.weight.copy_(tensor([1, 0], [0, 1], [1, -1]))  # -> [4, 2, 2]
        network.up.bias.copy_(torch.tensor([0.0, 0.5, 0.0]))
    assert network(x).tolist() == [[5.0, 4.5, 5.0]]


def make_rule(shapes: dict[str, Shape], factors: dict[str, Factors]) -> UpdateRule:
    rule = UpdateRule(shapes, rank=2, dropout=0.0)
    rule.observe(rule.summarise(factors))
    return rule


@pytest.mark.parametrize("is_dense", [True, False])
def test_the_change_of_two_layers_by_hand(is_dense: bool) -> None:
    """Four tokens in all; both layers are of one shape, so they share moments: u has mean 2 and deviation sqrt(8/3)."""
    wide = 0 if is_dense else 6  # more dimensions, all of them equal: they are normalised to zero
    pad = [1.0] * wide
    factors = {
        "a": Factors(tensor([0, *pad], [2, *pad]), tensor([1, *pad], [3, *pad])),
        "b": Factors(tensor([2, *pad], [4, *pad]), tensor([1, *pad], [-1, *pad])),
    }
    rule = make_rule({name: Shape(1 + wide, 1 + wide) for name in factors}, factors)
    with torch.no_grad():
        rule.rates.copy_(torch.tensor([0.5, -0.25]))
    change = rule.changes(factors)
    assert (len(change["a"].maps) == 1) == is_dense
    u, v = math.sqrt(8 / 3), math.sqrt(8 / 3)  # deviation of 0, 2, 2, 4 and of 1, 3, 1, -1; their means are 2 and 1
    by_hand = {
        "a": 0.5 * ((0 - 2) / u * (1 - 1) / v + (2 - 2) / u * (3 - 1) / v),
        "b": -0.25 * ((2 - 2) / u * (1 - 1) / v + (4 - 2) / u * (-1 - 1) / v),
    }
    for name, expected in by_hand.items():
        assert float(change[name].matrix.detach()[0, 0]) == pytest.approx(expected, abs=1e-6)
        assert float(change[name].matrix.detach().abs().sum()) == pytest.approx(abs(expected), abs=1e-6)
        x = torch.ones(1, 3, 1 + wide)
        assert torch.allclose(change[name].apply(x), x @ change[name].matrix.T, atol=1e-6)


def num_network_parameters(rule: UpdateRule) -> int:
    return sum(parameter.numel() for parameter in rule.by_shape.parameters())


def test_the_published_shapes_have_the_published_number_of_parameters() -> None:
    """q and v of the last two layers of Llama-3.1-8B: 4096 wide, 32 heads and 8 heads of 128."""
    shapes = {f"{layer}.{name}": Shape(4096, width) for layer in (30, 31) for name, width in (("q", 4096), ("v", 1024))}
    rule = UpdateRule(shapes)
    assert num_network_parameters(rule) == 439_296
    assert rule.rates.tolist() == pytest.approx([1e-4] * 4)


def test_the_published_layers_are_found_in_a_model_of_that_width() -> None:
    from transformers import AutoConfig

    config = AutoConfig.for_model(
        "llama", hidden_size=4096, intermediate_size=64, num_hidden_layers=2, num_attention_heads=32,
        num_key_value_heads=8, vocab_size=64,
    )  # fmt: skip
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    rule = UpdateRule(shapes_of(find_sites(model, 2, ["q_proj", "v_proj"])))
    assert (num_network_parameters(rule), len(rule.rates)) == (439_296, 4)


# Factors of a model.


class Toy(nn.Module):
    """Two linear layers between embedding and output; looks like a causal language model of transformers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.embedding = nn.Embedding(5, 3)
        self.layers = nn.ModuleList([nn.ModuleDict({"proj": nn.Linear(3, 3)}) for _ in range(2)])
        self.output = nn.Linear(3, 5)

    def forward(self, input_ids: Tensor, use_cache: bool = False) -> Any:
        x = self.embedding(input_ids)
        for layer in self.layers:
            x = layer["proj"](x)
        return type("Output", (), {"logits": self.output(x)})


def test_factors_are_inputs_and_gradients_at_the_outputs() -> None:
    """Two layers, four tokens: softmax minus target, through the transposed weights, written out."""
    model = Toy().requires_grad_(False)
    ids = torch.tensor([1, 4, 2, 3])
    loss, factors = measure(model, find_sites(model, 2, ["proj"]), ids)
    first, second = (layer["proj"] for layer in model.layers)  # type: ignore[index]
    x = model.embedding.weight[ids]
    y = x @ first.weight.T + first.bias
    z = y @ second.weight.T + second.bias
    probabilities = (z @ model.output.weight.T + model.output.bias).softmax(-1)
    errors = probabilities / 3
    for place, token in enumerate((4, 2, 3)):
        errors[place, token] -= 1 / 3
    errors[3] = 0  # nothing comes after the last token
    at_second = errors @ model.output.weight
    at_first = at_second @ second.weight
    by_hand = -sum(math.log(float(probabilities[i, t])) for i, t in enumerate((4, 2, 3))) / 3
    assert loss == pytest.approx(by_hand, rel=1e-5)
    for name, inputs, slopes in (("layers.0.proj", x, at_first), ("layers.1.proj", y, at_second)):
        assert torch.allclose(factors[name].inputs, inputs[:3], atol=1e-6)
        assert torch.allclose(factors[name].slopes, slopes[:3], atol=1e-6)
    assert not any(parameter.grad is not None for parameter in model.parameters())


def test_below_the_changed_layers_there_is_no_gradient() -> None:
    model = Toy().requires_grad_(False)
    seen: dict[str, bool] = {}
    for name, module in model.named_modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            module.register_forward_hook(lambda m, i, output, name=name: seen.update({name: output.requires_grad}))
    measure(model, find_sites(model, 1, ["proj"]), torch.tensor([1, 4, 2]))
    assert seen == {"embedding": False, "layers.0.proj": False, "layers.1.proj": False, "output": True}


def test_the_whole_step_is_the_slope_of_the_outer_loss(checkpoint: Callable[[str], Path]) -> None:
    """Central differences of the target's loss under W + ΔW, along the gradient of each parameter."""
    model = AutoModelForCausalLM.from_pretrained(checkpoint("llama"), dtype=torch.float64).eval().requires_grad_(False)
    sites = find_sites(model, 2, ["q_proj", "v_proj"])
    _, found = measure(model, sites, torch.arange(5, 30))
    factors = {name: Factors(one.inputs.double(), one.slopes.double()) for name, one in found.items()}
    torch.manual_seed(1)
    rule = UpdateRule(shapes_of(sites), rank=3, dropout=0.0)
    rule.observe(rule.summarise(found))
    rule = rule.double()
    with torch.no_grad():
        for parameter in rule.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        rule.rates *= 0.01
    ids = torch.arange(40, 52)

    def outer() -> Tensor:
        with changed(sites, rule.changes(factors)):
            logits = model(input_ids=ids[None], use_cache=False).logits[0]
        return cross_entropy(logits[4:-1], ids[5:])

    outer().backward()  # type: ignore[no-untyped-call]
    assert len(rule.by_shape) == 2
    for name, parameter in rule.named_parameters():
        assert parameter.grad is not None
        length = parameter.grad.norm()
        direction = parameter.grad / length
        step, losses = 1e-2 if name != "rates" else 1e-4, []  # Llama's norms round to float32: not too small
        for sign in (1, -1):
            with torch.no_grad():
                parameter += sign * step * direction
                losses.append(float(outer().detach()))
                parameter -= sign * step * direction
        assert length > 1e-4, name
        assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(float(length), rel=2e-2), name


# What goes wrong.


def test_targets_that_can_not_be_changed(checkpoint: Callable[[str], Path]) -> None:
    model = AutoModelForCausalLM.from_pretrained(checkpoint("llama"))
    with pytest.raises(EngineError, match=r"no linear module 'input_layernorm'; linear are .*q_proj"):
        find_sites(model, 2, ["input_layernorm"])
    with pytest.raises(EngineError, match=r"no linear module 'c_attn'; linear are .*q_proj"):
        find_sites(model, 2, ["q_proj", "c_attn"])
    for layers in (0, 3, [2], []):
        with pytest.raises(EngineError, match="has 2 layers, numbered from 0 on"):
            find_sites(model, layers, ["q_proj"])
    assert list(find_sites(model, [0], ["v_proj"])) == ["model.layers.0.self_attn.v_proj"]
