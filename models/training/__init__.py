"""The recipe of the language model that ships in models/builtin.

    python -m models.training --data DIR --out runs/builtin --minutes 100

does every step, and run again continues where it was broken off: learn a vocabulary (tokenizer.py) → make examples
(mixture.py: service.py and phrases/, public.py, drills.py) → train from MiniLM's layers (warm_start.py, train.py) →
write the folder (export.py) → measure drafts for held-out prompts (evaluate.py). DIR holds the public data that the
model card names; the phrases were written for this project. It knows nothing of databases, agents or channels.
"""
