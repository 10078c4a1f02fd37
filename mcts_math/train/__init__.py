"""Self-training: trees -> examples -> policy and value in one model -> better trees (SPEC A9).

examples    solutions with Q values, chosen from trees; preference: pairs of sibling steps, one better than the other
collect     the same from files, with statistics and exports
data        tokens; packing: rows and batches
model       a causal language model with a value head, as one module; loss: cross-entropy, value error, preference
trainer     transformers' Trainer with these losses; training, resume, export: one training, its states, its checkpoint
rounds      search, examples, training, evaluation, and over again; plan, stages, slices: what, whether, where
summary     tables and plots of the rounds; analysis: what values say, where right answers are lost
"""
