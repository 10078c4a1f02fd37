"""OpTune (arXiv 2502.15771; SPEC B2): a small network learns which weight change makes the next attempt better.

rule        the formulas: from inputs and gradients of a layer, token by token, to the change of its weights
sites       which layers of a model are changed; what flows through them is seen, and changed, by hooks
changes     a trained rule as a folder, and the changes of many questions in one batch, for the engine
"""
