"""Self-training: trees -> examples -> policy and value in one model -> better trees (SPEC A9).

examples    solutions with Q values, chosen from trees
preference  pairs of sibling steps, one better than the other
harvest     the same from files, with statistics and exports
data        tokens, packing, batches
loss        cross-entropy, value error, preference
model       a causal language model with a value head, as one module
trainer     transformers' Trainer with these losses; the finished checkpoint
rounds      search, examples, training, evaluation, and over again
"""
